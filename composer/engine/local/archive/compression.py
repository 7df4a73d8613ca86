"""Compressed streams, told by their first bytes and undone in this process (never by a program of the image or the host).

gzip by isal where it can be imported (twice as fast as zlib), zstd by zstandard, xz and bzip2 by the standard library.
Memory is bounded: zstd windows above 128 MiB and xz dictionaries that need more than 256 MiB are refused.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from enum import StrEnum
from typing import IO, Any, BinaryIO, Protocol, cast

import zstandard

from composer.engine.errors import InvalidArgument

_gzip: Any = gzip
_DAMAGED: tuple[type[Exception], ...] = (EOFError, lzma.LZMAError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile)
try:
    import isal.igzip
    import isal.isal_zlib
except ImportError:  # no wheel for this machine: the slower zlib does the same
    _FILE, _LEVEL = "GzipFile", 5
else:
    _gzip, _FILE, _LEVEL = isal.igzip, "IGzipFile", 1
    _DAMAGED = (*_DAMAGED, cast(Any, isal.isal_zlib).error)

_ZSTD_WINDOW = 1 << 27
_XZ_MEMORY = 256 << 20
_CHUNK = 256 << 10


class Compression(StrEnum):
    """How a stream is compressed; the value is OCI's media type suffix where OCI has one."""

    NONE = ""
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


_MAGIC = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\x00", Compression.XZ),
)


class Readable(Protocol):
    """Anything with a blocking ``read``."""

    def read(self, size: int = -1, /) -> bytes: ...


def detect(head: bytes) -> Compression:
    """The compression of a stream that begins with ``head`` (6 bytes are enough). Zstd's skippable frames count as zstd."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if len(head) >= 4 and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18":
        return Compression.ZSTD
    return Compression.NONE


def plain(source: Readable) -> tuple[BinaryIO, Compression]:
    """A reader of what ``source`` holds when decompressed, and how it was compressed.

    Raises InvalidArgument from its ``read`` when the compressed bytes are damaged.
    """
    buffered = source if isinstance(source, io.BufferedReader) else io.BufferedReader(_Raw(source), _CHUNK)
    kind = detect(buffered.peek(6)[:6])
    if kind is Compression.NONE:
        return cast(BinaryIO, buffered), kind
    return cast(BinaryIO, io.BufferedReader(_Converted(_opened(buffered, kind)), _CHUNK)), kind


def gzip_writer(sink: IO[bytes]) -> BinaryIO:
    """A writer that gzips into ``sink``, the same bytes for the same input; close it to write the trailer (``sink`` stays open)."""
    return cast(BinaryIO, getattr(_gzip, _FILE)(fileobj=sink, mode="wb", compresslevel=_LEVEL, mtime=0))


def _opened(source: io.BufferedReader, kind: Compression) -> Readable:
    match kind:
        case Compression.GZIP:
            return cast(Readable, getattr(_gzip, _FILE)(fileobj=source, mode="rb"))
        case Compression.ZSTD:
            return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(source, read_across_frames=True)
        case Compression.BZIP2:
            return bz2.BZ2File(source)
        case _:
            return _Xz(source)


class _Raw(io.RawIOBase):
    """Any object with ``read`` as a raw stream."""

    def __init__(self, source: Readable) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Converted(_Raw):
    """A decompressor's output with its library's errors made ours."""

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            return super().readinto(buffer)
        except _DAMAGED as error:
            raise InvalidArgument(f"the compressed data is damaged or incomplete: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise InvalidArgument(f"the compressed data is damaged: {error}") from error


class _Xz:
    """xz with a bound on its memory, which lzma.LZMAFile does not offer."""

    def __init__(self, source: io.BufferedReader) -> None:
        self._source = source
        self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int = -1, /) -> bytes:
        while True:
            if self._decoder.eof:
                rest = self._decoder.unused_data.lstrip(b"\0") or self._source.read(_CHUNK).lstrip(b"\0")
                if not rest:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
                data = self._decoder.decompress(rest, size)
            else:
                chunk = self._source.read(_CHUNK) if self._decoder.needs_input else b""
                if not chunk and self._decoder.needs_input:
                    raise EOFError("the stream ends before its end marker")
                data = self._decoder.decompress(chunk, size)
            if data:
                return data
