"""Reading a tar archive forwards, header by header: ustar, pax (also sparse 0.0, 0.1, 1.0) and GNU (long names, sparse).

Not by `tarfile`, which keeps hostile extension headers without bound, parses them in quadratic time (CVE-2024-6232), and takes three
times as long for a header. Sources: pax(1) of POSIX.1-2017, "Basic Tar Format" and "Sparse Formats" of GNU tar's manual.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from composer.engine.errors import InvalidArgument
from composer.engine.local.archive.entry import Entry, Kind

_BLOCK = 512
_CHUNK = 1 << 20
_EXTENSION_LIMIT = 1 << 20  # of one extension header, as Go's archive/tar has it
_SPARSE_LIMIT = 100_000  # pieces of one file
_KINDS = {kind.value: kind for kind in Kind} | {b"\0": Kind.FILE, b"7": Kind.FILE, b"S": Kind.FILE, b"D": Kind.DIRECTORY}


class TarReader:
    """Iterate for the entries; `read` and `copy` give the data of the entry that came last. The source is read once, forwards."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._file = _plain_file(source)
        self._left = 0  # data of the current entry not yet read
        self._pad = 0

    def __iter__(self) -> Iterator[Entry]:
        shared: dict[str, bytes] = {}
        while True:
            records, long_name, long_link = dict(shared), None, None
            while True:
                self.skip()
                block = self._source.read(_BLOCK)
                if not block or block == bytes(_BLOCK):
                    return
                info = _decode(block)
                if info.type in (b"x", b"g", b"L", b"K"):
                    data = self._extension(info.size)
                    if info.type == b"x":
                        records.update(_records(data))
                    elif info.type == b"g":
                        shared.update(_records(data))
                        records.update(_records(data))
                    elif info.type == b"L":
                        long_name = os.fsdecode(data.rstrip(b"\0"))
                    else:
                        long_link = os.fsdecode(data.rstrip(b"\0"))
                    continue
                break
            if info.type not in _KINDS:  # a volume label, a multi-volume piece, a vendor's own: nothing that can be extracted
                self._begin(info.size)
                continue
            yield self._entry(info, block, records, long_name, long_link)

    def _entry(self, info: _Header, block: bytes, records: dict[str, bytes], name: str | None, link: str | None) -> Entry:
        kind = _KINDS[info.type]
        entry = Entry(
            name=_text(records, "path") or name or info.name,
            kind=kind,
            mode=info.mode & 0o7777,
            uid=_integer(records, "uid", info.uid),
            gid=_integer(records, "gid", info.gid),
            size=_integer(records, "size", info.size),
            mtime=_seconds(records, info.mtime),
            link=_text(records, "linkpath") or link or info.link,
            major=info.major,
            minor=info.minor,
            xattrs=_xattrs(records),
        )
        if entry.name.endswith("/") and kind is Kind.FILE:
            entry.kind = kind = Kind.DIRECTORY
        if kind is Kind.DIRECTORY:
            entry.name = entry.name.rstrip("/") or "/"
        self._begin(entry.size if kind is Kind.FILE or info.type == b"D" else 0)  # the others have no data, whatever their size says
        if kind is not Kind.FILE:
            entry.size = 0
        entry.length = entry.size
        if info.type == b"S":
            self._old_sparse(entry, block)
        elif any(key.startswith("GNU.sparse.") for key in records):
            self._pax_sparse(entry, records)
        return entry

    def _begin(self, size: int) -> None:
        if size < 0:
            raise InvalidArgument("invalid tar header: negative size")
        self._left, self._pad = size, -size % _BLOCK

    def skip(self) -> None:
        """Go past what is left of the current entry's data."""
        total = self._left + self._pad
        self._left = self._pad = 0
        if self._file is not None and total > _CHUNK:
            self._source.seek(total - 1, os.SEEK_CUR)
            total = 1
        while total:
            data = self._source.read(min(total, _CHUNK))
            if not data:
                raise InvalidArgument("unexpected EOF: the tar archive is cut short")
            total -= len(data)

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes of the current entry's data; b"" at its end."""
        want = self._left if size < 0 else min(size, self._left)
        data = self._source.read(want) if want else b""
        if want and not data:
            raise InvalidArgument("unexpected EOF: the tar archive is cut short")
        self._left -= len(data)
        return data

    def copy(self, size: int, target: int, offset: int = 0) -> None:
        """Write the next ``size`` bytes of data to the fd ``target``, which stands at ``offset``; in the kernel where it can."""
        if self._file is not None and size >= _CHUNK // 4 and size <= self._left:
            size -= self._copy_in_kernel(size, target)
        while size:
            data = self.read(min(size, _CHUNK))
            if not data:
                raise InvalidArgument("unexpected EOF: a sparse file has less data than its map says")
            size -= len(data)
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]

    def _copy_in_kernel(self, size: int, target: int) -> int:
        assert self._file is not None
        start = self._source.tell()
        done = 0
        try:
            while done < size:
                count = os.copy_file_range(self._file, target, size - done, start + done)
                if count == 0:
                    raise InvalidArgument("unexpected EOF: the tar archive is cut short")
                done += count
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        self._source.seek(start + done)
        self._left -= done
        return done

    def _extension(self, size: int) -> bytes:
        if not 0 <= size <= _EXTENSION_LIMIT:
            raise InvalidArgument(f"invalid tar header: an extension header of {size} bytes")
        self._begin(size)
        data = self.read()
        while self._left:
            data += self.read()
        return data

    def _old_sparse(self, entry: Entry, block: bytes) -> None:
        """GNU's old format: the map in the header and in blocks after it, which do not count as data."""
        size, pad = self._left, self._pad
        pieces = _structs(block[386:482])
        entry.length = _number(block[483:495])
        more = block[482]
        while more:
            self._left, self._pad = _BLOCK, 0
            block = self.read(_BLOCK)
            pieces += _structs(block[:504])
            more = block[504] if len(block) == _BLOCK else 0
            _check_pieces(pieces, entry.length)
        self._left, self._pad = size, pad
        entry.pieces = _check_pieces(pieces, entry.length)

    def _pax_sparse(self, entry: Entry, records: dict[str, bytes]) -> None:
        entry.name = _text(records, "GNU.sparse.name") or entry.name
        entry.length = _integer(records, "GNU.sparse.realsize", _integer(records, "GNU.sparse.size", entry.size))
        if records.get("GNU.sparse.major") == b"1":  # the map is the start of the data, in decimal lines, padded to a block
            numbers = self._sparse_numbers()
        else:
            numbers = [_parse(part) for part in records.get("GNU.sparse.map", b"").split(b",") if part]
        entry.pieces = _check_pieces(list(zip(numbers[::2], numbers[1::2], strict=False)), entry.length)

    def _sparse_numbers(self) -> list[int]:
        text = b""
        while True:
            text += self.read(_BLOCK)
            lines = text.split(b"\n")
            wanted = 1 + 2 * _parse(lines[0]) if len(lines) > 1 else 1
            if wanted > 2 * _SPARSE_LIMIT:
                raise InvalidArgument("invalid tar header: too many pieces in a sparse file")
            if len(lines) > wanted:
                return [_parse(line) for line in lines[1:wanted]]
            if not self._left:
                raise InvalidArgument("invalid tar header: the map of a sparse file is cut short")


_CANNOT = (18, 22, 38, 95, 1)  # EXDEV EINVAL ENOSYS EOPNOTSUPP EPERM: copy_file_range(2) does not do this pair of files


def _plain_file(source: BinaryIO) -> int | None:
    """The fd of a source that is an ordinary file, so that the kernel can copy from it."""
    raw = getattr(source, "raw", source)
    if not isinstance(getattr(raw, "name", None), str | int) or not hasattr(raw, "fileno") or not source.seekable():
        return None
    try:
        return int(raw.fileno())
    except OSError:
        return None


@dataclass(slots=True)
class _Header:
    """The 512 bytes before a member, decoded; extension headers not yet applied."""

    name: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    type: bytes
    link: str
    major: int
    minor: int


def _decode(block: bytes) -> _Header:
    if len(block) != _BLOCK:
        raise InvalidArgument("unexpected EOF: the tar archive is cut short")
    total = 256 + sum(block[:148]) + sum(block[156:])
    if _number(block[148:156]) != total:
        raise InvalidArgument("invalid tar header: bad checksum")
    name = block[:100].split(b"\0", 1)[0]
    ustar = block[257:263] == b"ustar\0"  # GNU's magic has blanks, and other fields where ustar has the rest of the name
    if ustar and block[345]:
        name = block[345:500].split(b"\0", 1)[0] + b"/" + name
    device = block[156] in b"34"
    return _Header(
        name=os.fsdecode(name),
        mode=_number(block[100:108]),
        uid=_number(block[108:116]),
        gid=_number(block[116:124]),
        size=_number(block[124:136]),
        mtime=_number(block[136:148]),
        type=block[156:157],
        link=os.fsdecode(block[157:257].split(b"\0", 1)[0]),
        major=_number(block[329:337]) if device else 0,
        minor=_number(block[337:345]) if device else 0,
    )


def _records(data: bytes) -> dict[str, bytes]:
    """A pax extended header: records "LENGTH KEY=VALUE\\n", a value may hold any bytes."""
    found: dict[str, bytes] = {}
    sparse: list[bytes] = []
    at = 0
    while at < len(data) and data[at] != 0:
        space = data.find(b" ", at, at + 20)
        length = _parse(data[at:space]) if space > 0 else 0
        record = data[space + 1 : at + length - 1]
        key, equals, value = record.partition(b"=")
        if length <= space + 1 - at or at + length > len(data) or not equals:
            raise InvalidArgument("invalid tar header: a damaged pax record")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):  # format 0.0: repeated, in pairs
            sparse.append(value)
        found[os.fsdecode(key)] = value
        at += length
    if sparse:
        found["GNU.sparse.map"] = b",".join(sparse)
    return found


def _xattrs(records: dict[str, bytes]) -> dict[str, bytes]:
    found = {key[13:]: value for key, value in records.items() if key.startswith("SCHILY.xattr.")}
    for key, value in records.items():
        if key.startswith("LIBARCHIVE.xattr.") and key[17:] not in found:
            try:
                found[key[17:]] = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
            except binascii.Error as error:
                raise InvalidArgument(f"invalid tar header: the attribute {key[17:]} is not base64") from error
    return found


def _text(records: dict[str, bytes], key: str) -> str:
    return os.fsdecode(records[key]) if key in records else ""


def _integer(records: dict[str, bytes], key: str, default: int) -> int:
    return _parse(records[key]) if records.get(key) else default


def _seconds(records: dict[str, bytes], default: float) -> float:
    try:
        value = float(records["mtime"]) if records.get("mtime") else float(default)
    except ValueError as error:
        raise InvalidArgument("invalid tar header: mtime is not a number") from error
    return value if -(2**33) < value < 2**33 else 0.0


def _parse(text: bytes) -> int:
    if not text.strip().isdigit() or len(text) > 20:
        raise InvalidArgument(f"invalid tar header: {text[:20]!r} is not a number")
    return int(text)


def _number(field: bytes) -> int:
    """Octal digits, or GNU's base 256 for what does not fit."""
    if field[0] & 0x80:
        return int.from_bytes(field[:1].replace(b"\x80", b"\0") + field[1:], "big", signed=field[0] == 0xFF)
    text = field.split(b"\0", 1)[0].strip()
    if not text:
        return 0
    if not text.isdigit():
        raise InvalidArgument("invalid tar header: a damaged number")
    try:
        return int(text, 8)
    except ValueError as error:
        raise InvalidArgument("invalid tar header: a damaged number") from error


def _structs(block: bytes) -> list[tuple[int, int]]:
    found = []
    for at in range(0, len(block) - 23, 24):
        if block[at] == 0:
            break
        found.append((_number(block[at : at + 12]), _number(block[at + 12 : at + 24])))
    return found


def _check_pieces(pieces: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    end = 0
    for offset, size in pieces:
        if offset < end or size < 0 or offset + size > length:
            raise InvalidArgument("invalid tar header: the map of a sparse file overlaps or leaves the file")
        end = offset + size
    if len(pieces) > _SPARSE_LIMIT:
        raise InvalidArgument("invalid tar header: too many pieces in a sparse file")
    return pieces
