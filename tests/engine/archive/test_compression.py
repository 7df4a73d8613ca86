"""Compressed streams are told by their first bytes and undone here; damage is told in words."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os

import pytest
import zstandard

from composer.engine.errors import InvalidArgument
from composer.engine.local.archive import Compression, gzip_writer, plain

CONTENT = os.urandom(300_000) + bytes(300_000)
FORMS = {
    Compression.NONE: CONTENT,
    Compression.GZIP: gzip.compress(CONTENT[:1000]) + gzip.compress(CONTENT[1000:]),
    Compression.ZSTD: zstandard.compress(CONTENT[:1000]) + zstandard.compress(CONTENT[1000:]),
    Compression.BZIP2: bz2.compress(CONTENT),
    Compression.XZ: lzma.compress(CONTENT[:1000]) + lzma.compress(CONTENT[1000:]),
}


class Trickle:
    """Not seekable, and gives 100 bytes at most."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, 100) if size >= 0 else 100)


@pytest.mark.parametrize("kind", FORMS)
def test_each_form(kind: Compression) -> None:
    for source in (io.BytesIO(FORMS[kind]), Trickle(FORMS[kind])):
        reader, found = plain(source)
        assert found is kind
        assert reader.read() == CONTENT


@pytest.mark.parametrize("kind", [kind for kind in FORMS if kind])
def test_damage(kind: Compression) -> None:
    data = bytearray(FORMS[kind])
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    for damaged in (bytes(data), FORMS[kind][: len(data) // 2]):
        try:
            assert plain(io.BytesIO(damaged))[0].read() != CONTENT
        except InvalidArgument:
            continue


def test_gzip_is_the_same_each_time() -> None:
    made = []
    for _ in range(2):
        sink = io.BytesIO()
        with gzip_writer(sink) as writer:
            writer.write(CONTENT)
        made.append(sink.getvalue())
    assert made[0] == made[1]
    assert gzip.decompress(made[0]) == CONTENT


def test_xz_that_wants_much_memory_is_refused() -> None:
    data = lzma.compress(b"x" * 1000, format=lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 512 << 20}])
    with pytest.raises(InvalidArgument, match="damaged"):
        plain(io.BytesIO(data))[0].read()
