"""What a look at a developer's files finds, and what is packed of it."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from composer.watch import cover
from composer.watch.files import Files
from composer.watch.model import SYNC, Rule
from composer.watch.pack import parcel, tops
from composer.watch.report import done, files, problems, span
from composer.watch.sieve import sieve
from composer.watch.tree import Tree


def tree_of(path: Path, **more: object) -> Tree:
    found = Tree(Rule(SYNC, str(path), "/app", **more))  # type: ignore[arg-type]
    found.begin()
    return found


def test_a_new_directory_is_looked_through(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    (tmp_path / "n/x").mkdir(parents=True)
    (tmp_path / "n/x/file").write_text("1")
    delta = tree.update([str(tmp_path / "n")])
    assert delta.changed == {"n", "n/x", "n/x/file"}
    assert not delta.gone
    (tmp_path / "n/x/file").unlink()
    (tmp_path / "n/x").rmdir()
    delta = tree.update([str(tmp_path / "n/x"), str(tmp_path / "n/x/file")])
    assert delta.gone == {"n/x", "n/x/file"}
    assert parcel([(tree, delta)]).removes == {"/app": ["n/x"]}


def test_a_save_of_the_same_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    tree = tree_of(tmp_path)
    file.write_text("2")
    assert tree.real(tree.update([str(file)])).changed == {"a"}
    file.write_text("2")
    os.utime(file)
    assert not tree.real(tree.update([str(file)]))
    file.chmod(0o700)
    assert tree.real(tree.update([str(file)])).changed == {"a"}


def test_a_single_file_that_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "one.conf"
    tree = Tree(Rule(SYNC, str(file), "/etc/app/one.conf"))
    tree.begin()
    assert tree.entries == {}
    (tmp_path / "new").write_text("1")
    (tmp_path / "new").rename(file)
    delta = tree.update([str(file)])
    load = parcel([(tree, delta)])
    with tarfile.open(fileobj=io.BytesIO(b"".join(load.pieces()))) as archive:
        assert archive.getnames() == ["etc/app/one.conf"]
    assert load.removes == {"/etc/app": []}
    file.unlink()
    assert parcel([(tree, tree.update([str(file)]))]).removes == {"/etc/app": ["one.conf"]}


def test_what_is_ignored_from_now_on_is_not_gone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    tree = tree_of(tmp_path, context=str(tmp_path), initial_sync=True)
    (tmp_path / ".dockerignore").write_text("a\n")
    delta = tree.rescan()
    assert delta.changed == {".dockerignore"}
    assert not delta.gone
    assert sorted(tree.touched) == [".dockerignore", "b"]


def test_ignored_directories_are_not_watched(tmp_path: Path) -> None:
    for path in ("src/a/b", "web/node_modules/x", "web/lib", ".git/objects"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "src/out").symlink_to("/")
    found = cover.of_trees([sieve(str(tmp_path), ["**/node_modules"], [])])
    top = str(tmp_path)
    assert found.flat == {os.path.dirname(top), top, f"{top}/src", f"{top}/web"}
    assert found.deep == {f"{top}/src/a", f"{top}/web/lib"}


def test_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    assert cover.of_trees([sieve(str(tmp_path / "x/y"), [], [])]).flat == {str(tmp_path)}


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    one, link = tmp_path / "one", tmp_path / "link"
    one.write_text("1")
    link.symlink_to(one)
    found = Files()
    found.follow([str(link), str(tmp_path / "missing"), "-"])
    before = found.revision(found.known)
    os.utime(one)
    assert found.changed([str(one), str(link)]) == set()
    one.write_text("2")
    assert found.changed([str(one)]) == {str(link)}
    assert found.revision(found.known) != before
    (tmp_path / "missing").write_text("")
    assert found.changed() == {str(tmp_path / "missing")}


def test_the_words() -> None:
    assert done(3, "web", ["a", "b"], 0.041, "restarted") == "3 files -> web (2 replicas) in 41 ms, restarted"
    assert done(1, "web", ["a"], 1.25) == "1 file -> web in 1.2 s"
    assert done(0, "web", [], 65, "rebuilt") == "web in 1 min 5 s, rebuilt"
    assert files(2) == "2 files"
    assert span(0.9999) == "1.0 s"
    assert problems({"web-2": "full", "web-1": "full", "web-3": "gone"}) == ["web-1, web-2: full", "web-3: gone"]
    assert tops(["a/b", "a", "a-b", "a/b/c", "c/d"]) == ["a", "a-b", "c/d"]
