"""Packing: a tree comes back as it was, in the same bytes each time, and links lead nowhere else."""

from __future__ import annotations

import io
import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from composer.engine.errors import NotFound
from composer.engine.local.archive import extract, pack
from composer.engine.local.files import remove_tree

pytestmark = pytest.mark.root


def packed(root: Path, path: str = "/", **options: object) -> bytes:
    sink = io.BytesIO()
    fd = os.open(root, os.O_RDONLY)
    try:
        pack(fd, path, sink, **options)  # type: ignore[arg-type]
    finally:
        os.close(fd)
    return sink.getvalue()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def described(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for directory, directories, others in os.walk(root):
        for name in (*directories, *others):
            path = Path(directory, name)
            status = path.lstat()
            content: object = None
            if stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            attributes = {k: os.getxattr(path, k, follow_symlinks=False) for k in os.listxattr(path, follow_symlinks=False)}
            found[str(path.relative_to(root))] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_rdev,
                content,
                attributes,
                int(status.st_mtime),
            )
    return found


NAMES = some.sampled_from(["a", "b", "c", "é", "long" * 40, "sp ace", ".wh", "-x"])
LEAVES = some.tuples(
    some.sampled_from(["file", "link", "fifo", "null"]), some.binary(max_size=2000), some.integers(0, 0o7777), some.integers(0, 3_000_000)
)
TREES = some.recursive(LEAVES, lambda inner: some.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


def make(path: Path, tree: object) -> None:
    if isinstance(tree, dict):
        path.mkdir()
        for name, inner in tree.items():
            make(path / name, inner)
        os.utime(path, (1e9, 1e9))
        return
    kind, content, mode, owner = tree  # type: ignore[misc]
    if kind == "link":
        path.symlink_to(content.hex()[:100] or "x")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "null":
        os.mknod(path, stat.S_IFCHR, os.makedev(1, 3))
    else:
        path.write_bytes(content)
        os.setxattr(path, "user.content", content[:100])
    os.chown(path, owner, owner // 2, follow_symlinks=False)
    if kind != "link":
        path.chmod(mode)
    os.utime(path, (1e9, 1e9), follow_symlinks=False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=some.dictionaries(NAMES, TREES, max_size=4))
def test_a_tree_comes_back_as_it_was(tmp_path: Path, tree: dict[str, object]) -> None:
    for name in ("source", "target"):
        remove_tree(tmp_path / name)
    make(tmp_path / "source", tree)
    (tmp_path / "target").mkdir()
    data = packed(tmp_path / "source", name="")
    fd = os.open(tmp_path / "target", os.O_RDONLY)
    extract(io.BytesIO(data), fd)
    os.close(fd)
    assert described(tmp_path / "target") == described(tmp_path / "source")
    assert packed(tmp_path / "target", name="") == data


def test_hard_links_and_capabilities(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("x")
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(tmp_path / "b", "security.capability", capability)
    os.link(tmp_path / "b", tmp_path / "c")
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path, name=""))) as tar:
        first, second = tar.getmembers()
    assert (first.name, first.isreg(), second.islnk(), second.linkname) == ("b", True, True, "b")
    assert first.pax_headers["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape") == capability


def test_overlay_marks_become_whiteouts(tmp_path: Path) -> None:
    os.mknod(tmp_path / "gone", stat.S_IFCHR, os.makedev(0, 0))
    (tmp_path / "opq").mkdir()
    os.setxattr(tmp_path / "opq", "trusted.overlay.opaque", b"y")
    os.setxattr(tmp_path / "opq", "trusted.overlay.origin", b"host")
    (tmp_path / "opq" / "new").touch()
    data = packed(tmp_path, name="", whiteouts=True)
    assert names(data) == [".wh.gone", "opq", "opq/.wh..wh..opq", "opq/new"]
    assert b"trusted.overlay" not in data


def test_the_top_and_its_name(tmp_path: Path) -> None:
    (tmp_path / "etc/inner").mkdir(parents=True)
    (tmp_path / "etc/passwd").touch()
    (tmp_path / "link").symlink_to("etc")
    assert names(packed(tmp_path, "/etc")) == ["etc", "etc/inner", "etc/passwd"]
    assert names(packed(tmp_path, "/etc", name="other")) == ["other", "other/inner", "other/passwd"]
    assert names(packed(tmp_path, "etc/", name="")) == ["inner", "passwd"]
    assert names(packed(tmp_path, "/link")) == ["link"]
    assert names(packed(tmp_path, "/link/passwd")) == ["passwd"]
    assert names(packed(tmp_path, "/etc/../../../etc/passwd")) == ["passwd"]
    assert names(packed(tmp_path, "/", include=lambda path: path != "etc/inner")) == ["etc", "etc/passwd", "link"]


def test_a_link_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/out").symlink_to(tmp_path)
    (tmp_path / "secret").write_text("s")
    with pytest.raises(NotFound, match="Could not find the file"):
        packed(tmp_path / "root", "/out/secret")


def test_sockets_are_left_out_and_deep_trees_are_packed(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
    directory = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=directory)
        inner = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(directory)
    assert len(names(packed(tmp_path, name=""))) == 300
    os.chdir("/")
