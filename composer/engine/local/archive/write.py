"""Writing a tar archive: ustar headers, with a pax header before those members that do not fit (long names, attributes, large numbers)."""

from __future__ import annotations

import os
import tarfile
from typing import IO

from composer.engine.local.archive.entry import Entry, Kind

_BLOCK = 512
_OCTAL = 0o7777777  # what a uid, gid or device field holds
_SIZE = 0o77777777777


class TarWriter:
    """`add` a header, then `write` exactly its ``size`` bytes; `close` writes the end (the sink stays open)."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._left = 0
        self._pad = 0

    def add(self, entry: Entry) -> None:
        """The header. Times are written in whole seconds, as Docker does."""
        assert self._left == 0, "the previous member's data is not complete"
        info = tarfile.TarInfo(entry.name)
        info.type = entry.kind.value
        info.mode, info.uid, info.gid, info.linkname = entry.mode, entry.uid, entry.gid, entry.link
        info.size = entry.size if entry.kind is Kind.FILE else 0
        info.mtime = int(entry.mtime)
        info.devmajor, info.devminor = entry.major, entry.minor
        if entry.kind is Kind.DIRECTORY:
            info.name = entry.name.rstrip("/") + "/"
        records = _extension(info, entry)
        if records:
            self._sink.write(_header(tarfile.XHDTYPE, f"./PaxHeaders/{_ascii(info.name)[-80:]}", len(records)))
            self._sink.write(records + bytes(-len(records) % _BLOCK))
        self._sink.write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape"))
        self._left, self._pad = info.size, -info.size % _BLOCK
        self._finish()

    def write(self, data: bytes | memoryview) -> None:
        self._sink.write(data)
        self._left -= len(data)
        self._finish()

    def add_bytes(self, name: str, data: bytes, *, mode: int = 0o644, mtime: float = 0.0) -> None:
        """A whole small file."""
        self.add(Entry(name=name, mode=mode, size=len(data), mtime=mtime))
        if data:
            self.write(data)

    def close(self) -> None:
        self._sink.write(bytes(2 * _BLOCK))

    def _finish(self) -> None:
        if self._left == 0 and self._pad:
            self._sink.write(bytes(self._pad))
            self._pad = 0


def _extension(info: tarfile.TarInfo, entry: Entry) -> bytes:
    """The pax records of what ustar cannot hold; ``info`` is cut to what it can."""
    records: list[tuple[str, bytes]] = []
    name, link = os.fsencode(info.name), os.fsencode(info.linkname)
    if len(name) > 100 or not name.isascii():
        records.append(("path", name))
        info.name = _ascii(info.name)[:99] + ("/" if info.name.endswith("/") else "")
    if len(link) > 100 or not link.isascii():
        records.append(("linkpath", link))
        info.linkname = _ascii(info.linkname)[:100]
    for key, value, limit in (
        ("size", info.size, _SIZE),
        ("uid", info.uid, _OCTAL),
        ("gid", info.gid, _OCTAL),
        ("mtime", info.mtime, _SIZE),
    ):
        if not 0 <= value <= limit:
            records.append((key, str(value).encode()))
            setattr(info, key, 0)
    records.extend((f"SCHILY.xattr.{key}", value) for key, value in sorted(entry.xattrs.items()))
    return b"".join(_record(os.fsencode(key), value) for key, value in records)


def _record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _header(kind: bytes, name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name[:100])
    info.type, info.size, info.mode = kind, size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() else "_" for c in text)
