"""Extraction: what is kept, and that nothing leaves the root, whatever the archive says (trap 1)."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from composer.engine.errors import EngineError, InvalidArgument
from composer.engine.local.archive import ExtractOptions, ExtractReport, extract
from tests.fixtures.busybox import LayerTar
from tests.fixtures.patience import patient

pytestmark = pytest.mark.root


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory to extract into, beside ``outside`` that must stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    inner = tmp_path / "root"
    inner.mkdir()
    yield inner
    assert sorted(os.listdir(tmp_path)) == ["outside", "root"]
    assert os.listdir(tmp_path / "outside") == ["secret"]
    assert (tmp_path / "outside" / "secret").read_text() == "secret"
    assert stat.S_IMODE((tmp_path / "outside" / "secret").stat().st_mode) == 0o644


def unpack(data: bytes, root: Path, at: str = "/", **options: object) -> ExtractReport:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return extract(io.BytesIO(data), fd, at, options=ExtractOptions(**options))  # type: ignore[arg-type]
    finally:
        os.close(fd)


def hostile(*members: tuple[str, bytes, str]) -> bytes:
    """(name, type, link or content) each."""
    layer = LayerTar()
    for name, kind, text in members:
        if kind == tarfile.REGTYPE:
            layer.add(name, text.encode())
        else:
            layer.add(name, kind=kind, link=text, mode=0o755)
    return layer.done()


DIR, LINK, HARD, FILE = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.REGTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("../outside/new", FILE, "x")],
        [("/../../outside/new", FILE, "x")],
        [("a/../../outside/secret", FILE, "x")],
        [("l", LINK, "../outside"), ("l/secret", FILE, "x"), ("l/new", FILE, "x")],
        [("l", LINK, "../outside/secret"), ("l", FILE, "x")],
        [("l", LINK, "../../../../../../../../../../../../../../tmp"), ("l/composer-escaped", FILE, "x")],
        [("d", DIR, ""), ("d/l", LINK, "../../outside"), ("d/l/sub/deep", FILE, "x")],
        [("a", LINK, "."), ("b", LINK, "a/.."), ("c", LINK, "b/../outside"), ("c/new", FILE, "x")],
        [("l", LINK, "../outside"), ("l", DIR, ""), ("l/new", FILE, "x")],
        [("d", DIR, ""), ("d/x", FILE, "x"), ("d", LINK, "../outside"), ("d/new", FILE, "x")],
        [("p", LINK, "/proc/self/root"), ("p/tmp/composer-escaped", FILE, "x")],
        [("p", LINK, "/proc/1/root/tmp/composer-escaped"), ("p", HARD, "/proc/1/root/etc/passwd")][:1],
    ],
)
def test_nothing_is_written_outside(root: Path, members: list[tuple[str, bytes, str]]) -> None:
    unpack(hostile(*members), root)
    assert not os.path.lexists("/tmp/composer-escaped")


def test_absolute_names_and_links_stay_inside(root: Path) -> None:
    outside = str(root.parent / "outside")
    unpack(hostile((f"{outside}/new", FILE, "x"), ("l", LINK, outside), ("l/secret", FILE, "inner")), root)
    assert (root / outside.lstrip("/") / "secret").read_text() == "inner"


def test_deep_chain_of_long_links(root: Path) -> None:
    """CVE-2025-4517: links whose expansion is longer than PATH_MAX made realpath() give up, and tarfile followed them out."""
    layer = LayerTar()
    long = "d" * 247
    step = ""
    path = ""
    for letter in "abcdefghijklmnop":
        layer.directory(f"{path}{long}")
        layer.symlink(f"{path}{letter}", long)
        path, step = f"{path}{long}/", f"{step}{letter}/"
    layer.symlink(f"{step}{'l' * 254}", "../" * 16)
    layer.symlink("escape", f"{step}{'l' * 254}/../../outside")
    layer.add("escape/secret", b"owned")
    with contextlib.suppress(EngineError):  # the kernel resolves it in the root, or gives up (ELOOP, ENAMETOOLONG)
        unpack(layer.done(), root)


@pytest.mark.parametrize("target", ["../outside/secret", "/../outside/secret", "l/secret"])
def test_hard_link_to_outside_is_refused(root: Path, target: str) -> None:
    with pytest.raises(InvalidArgument, match="which is not there"):
        unpack(hostile(("l", LINK, "../outside"), ("h", HARD, target)), root)


def test_hard_link_to_a_link_does_not_follow_it(root: Path) -> None:
    (root.parent / "outside").chmod(0o755)
    unpack(hostile(("l", LINK, "../outside/secret"), ("h", HARD, "l")), root)
    assert os.readlink(root / "h") == "../outside/secret"


def test_everything_is_kept(root: Path) -> None:
    layer = LayerTar()
    layer.directory("d", 0o2750, uid=5, gid=6)
    layer.add("d/suid", b"x", mode=0o6755, uid=1234, gid=1235, xattrs={"user.a": "b"})
    layer.add("d/hard", kind=HARD, link="d/suid")
    layer.symlink("d/link", "/nowhere")
    layer.add("null", kind=tarfile.CHRTYPE, mode=0o666, device=(1, 3))
    layer.add("fifo", kind=tarfile.FIFOTYPE, mode=0o622)
    layer.add("x/" + "long-" * 40 + "name", b"long")
    layer.add("unicodé-\udcff", b"u")
    report = unpack(layer.done(), root)
    assert (report.entries, report.implied) == (8, ["x"])
    suid = (root / "d/suid").stat()
    assert (suid.st_mode, suid.st_uid, suid.st_gid, suid.st_nlink) == (0o106755, 1234, 1235, 2)
    assert suid.st_mtime == 1700000000
    assert os.getxattr(root / "d/suid", "user.a") == b"b"
    directory = (root / "d").stat()
    assert (directory.st_mode, directory.st_uid, directory.st_mtime) == (0o42750, 5, 1700000000)
    assert os.readlink(root / "d/link") == "/nowhere"
    null = (root / "null").stat()
    assert (null.st_rdev, stat.S_IMODE(null.st_mode)) == (os.makedev(1, 3), 0o666)
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)
    assert (root / ("x/" + "long-" * 40 + "name")).read_text() == "long"
    assert (root / "unicodé-\udcff").read_text() == "u"


def test_capabilities_survive_chown(root: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")  # cap_net_raw+ep
    layer = LayerTar()
    layer.add("ping", b"x", mode=0o755, uid=7, xattrs={"security.capability": capability.decode("utf-8", "surrogateescape")})
    unpack(layer.done(), root)
    assert os.getxattr(root / "ping", "security.capability") == capability


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_files_of_gnu_tar(root: Path, tmp_path_factory: pytest.TempPathFactory, form: str) -> None:
    source = tmp_path_factory.mktemp("sparse")
    with open(source / "f", "wb") as file:
        for place in range(40):  # more pieces than one header holds
            file.seek(place * 1_000_000)
            file.write(b"piece %d" % place)
        file.truncate(50_000_000)
    data = subprocess.run(
        ["tar", "-cS", f"--format={form}", "-C", source, "f"], check=True, capture_output=True, timeout=patient(30)
    ).stdout
    assert len(data) < 1_000_000
    unpack(data, root)
    assert (root / "f").read_bytes() == (source / "f").read_bytes()
    assert (root / "f").stat().st_blocks * 512 < 1_000_000


def test_whiteouts_become_overlay_marks(root: Path) -> None:
    layer = LayerTar()
    layer.add("etc/.wh.gone")
    layer.directory("opq")
    layer.add("opq/.wh..wh..opq")
    layer.add("opq/new", b"n")
    layer.add(".wh..wh.plnk", kind=DIR)
    layer.add(".wh.again")
    layer.directory("again")
    layer.add("kept/file", b"k")
    layer.add(".wh.kept")
    unpack(layer.done(), root, whiteouts=True)
    gone = (root / "etc/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(root / "opq", "trusted.overlay.opaque") == b"y"
    assert os.getxattr(root / "again", "trusted.overlay.opaque") == b"y", (
        "a directory in place of one that is hidden does not merge with it"
    )
    assert os.getxattr(root / "kept", "trusted.overlay.opaque") == b"y"
    assert (root / "kept/file").read_text() == "k"
    assert sorted(os.listdir(root)) == ["again", "etc", "kept", "opq"]


def test_overlay_control_attributes_are_not_taken(root: Path) -> None:
    layer = LayerTar()
    layer.add("f", b"", xattrs={"trusted.overlay.redirect": "/../../outside", "trusted.overlay.metacopy": "", "user.fine": "1"})
    report = unpack(layer.done(), root, whiteouts=True)
    assert os.listxattr(root / "f") == ["user.fine"]
    assert report.refused_xattrs == 2


def test_beneath_a_link_to_what_is_not_there_yet(root: Path) -> None:
    unpack(hostile(("var/run", LINK, "/run"), ("var/run/x/f", FILE, "x")), root)
    assert os.readlink(root / "var/run") == "/run"
    assert (root / "run/x/f").read_text() == "x"


def test_later_members_replace_earlier_ones(root: Path) -> None:
    unpack(hostile(("a/b", FILE, "1"), ("a", FILE, "2"), ("c", FILE, "3"), ("c/d", FILE, "4")), root)
    assert (root / "a").read_text() == "2"
    assert (root / "c/d").read_text() == "4"


def test_directories_and_files_do_not_replace_each_other_when_told(root: Path) -> None:
    (root / "d").mkdir()
    (root / "f").touch()
    with pytest.raises(InvalidArgument, match='cannot overwrite directory "d" with non-directory'):
        unpack(hostile(("d", FILE, "x")), root, no_overwrite_dir_non_dir=True)
    with pytest.raises(InvalidArgument, match='cannot overwrite non-directory "f" with directory'):
        unpack(hostile(("f", DIR, "")), root, no_overwrite_dir_non_dir=True)


def test_into_a_directory_of_the_root_through_its_links(root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("/real")
    unpack(hostile(("f", FILE, "x"), ("../../g", FILE, "y")), root, at="/link", chown=(3, 4))
    assert ((root / "real/f").stat().st_uid, (root / "real/f").stat().st_gid) == (3, 4)
    assert (root / "real/g").read_text() == "y"


@pytest.mark.parametrize("options", [{"limit_entries": 3}, {"limit_bytes": 10}])
def test_limits(root: Path, options: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="larger than what is allowed"):
        unpack(hostile(*[(f"f{i}", FILE, "four") for i in range(5)]), root, **options)


def test_an_archive_cut_short(root: Path) -> None:
    with pytest.raises(InvalidArgument, match="cut short"):
        unpack(hostile(("f", FILE, "x" * 5000))[:2000], root)


def test_large_files_from_a_plain_file(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The way through copy_file_range gives the same as the way through memory."""
    content = os.urandom(3 << 20)
    layer = LayerTar()
    layer.add("small", b"s")
    layer.add("large", content)
    layer.add("after", b"a")
    path = tmp_path_factory.mktemp("tar") / "x.tar"
    path.write_bytes(layer.done())
    fd = os.open(root, os.O_RDONLY)
    with open(path, "rb") as source:
        extract(source, fd)
    os.close(fd)
    assert (root / "large").read_bytes() == content
    assert (root / "after").read_text() == "a"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=some.lists(some.tuples(some.integers(0, 511), some.integers(0, 20), some.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_headers_are_refused_in_words(root: Path, changes: list[tuple[int, int, int]]) -> None:
    """Any byte of any header changed, its checksum made right again: an error is one of ours."""
    layer = LayerTar()
    layer.directory("d")
    layer.add("d/f", b"x" * 700, xattrs={"user.a": "b"}, uid=3_000_000)
    layer.symlink("l", "d")
    layer.hardlink("h", "d/f")
    layer.add("null", kind=tarfile.CHRTYPE, device=(1, 3))
    data = bytearray(layer.done())
    for place, number, value in changes:
        start = number * 512 % (len(data) - 1024)
        data[start + place] = value
        if data[start + 257 : start + 262] == b"ustar":
            total = 256 + sum(data[start : start + 148]) + sum(data[start + 156 : start + 512])
            data[start + 148 : start + 156] = b"%06o\0 " % total
    with contextlib.suppress(EngineError):
        unpack(bytes(data), root, limit_bytes=1 << 20)
