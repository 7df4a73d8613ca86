"""Reading headers: damaged archives give InvalidArgument and nothing else; hostile extension headers cost neither memory nor time."""

from __future__ import annotations

import io
import tarfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from composer.engine.errors import InvalidArgument
from composer.engine.local.archive import TarReader
from tests.fixtures.busybox import LayerTar


def sample() -> bytes:
    layer = LayerTar()
    layer.directory("d")
    layer.add("d/" + "long" * 60, b"content" * 100, xattrs={"user.a": "b"})
    layer.symlink("l", "target" * 30)
    layer.add("f", b"x", uid=10_000_000)
    return layer.done()


def read_all(data: bytes) -> list[str]:
    reader = TarReader(io.BytesIO(data))
    found = []
    for entry in reader:
        found.append(entry.name)
        while reader.read(1000):
            pass
    return found


def test_names_of_each_format() -> None:
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
            for name in ("short", "d" * 90 + "/" + "f" * 90, "e/"):
                tar.addfile(tarfile.TarInfo(name))
        assert read_all(buffer.getvalue()) == ["short", "d" * 90 + "/" + "f" * 90, "e"] or read_all(buffer.getvalue())[2] == "e/"


@settings(max_examples=300, deadline=None)
@given(changes=some.lists(some.tuples(some.integers(0, 8191), some.integers(0, 255)), min_size=1, max_size=12), cut=some.integers(1, 10240))
def test_damaged_archives_are_refused_in_words(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(sample())
    for place, value in changes:
        data[place % len(data)] = value
    try:
        read_all(bytes(data[:cut]))
    except InvalidArgument:
        pass


@settings(max_examples=100, deadline=None)
@given(data=some.binary(max_size=3000))
def test_any_bytes(data: bytes) -> None:
    try:
        read_all(data)
    except InvalidArgument:
        pass


def extension(kind: bytes, size: int, body: bytes = b"") -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + body


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_huge_extension_headers_are_refused(kind: bytes) -> None:
    with pytest.raises(InvalidArgument, match="extension header of"):
        read_all(extension(kind, 8 << 30))


def test_pax_headers_take_linear_time() -> None:
    """CVE-2024-6232: digits without an end made tarfile's expressions quadratic."""
    body = b"1" * (1 << 20)
    start = time.monotonic()
    with pytest.raises(InvalidArgument):
        read_all(extension(b"x", len(body), body))
    assert time.monotonic() - start < 2


def test_binary_values_of_pax_records() -> None:
    value = bytes(range(256))
    record = b" SCHILY.xattr.user.x=" + value + b"\n"
    record = str(len(record) + 3).encode() + record
    assert len(record) == int(record.split(b" ", 1)[0])
    body = record + bytes(-len(record) % 512)
    data = extension(b"x", len(record), body) + tarfile.TarInfo("f").tobuf() + bytes(1024)
    entry = next(iter(TarReader(io.BytesIO(data))))
    assert entry.xattrs == {"user.x": value}
