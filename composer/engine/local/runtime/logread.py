"""The bytes of a log that is rotated while it is read: its files from the oldest to the written one, each once, none skipped.

Files are held open, so a rename or unlink does not matter. A file is finished when a newer one stands in its place: the writer closes
the old before it renames the new, so whatever the old one then holds is all it will ever hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path

from composer.engine.local.runtime.inotify import changes

_CHUNK = 256 * 1024
_BLOCK = 64 * 1024


@dataclass
class _Part:
    """An open file of the log, and how far it was read."""

    fd: int
    inode: int
    position: int


async def pieces(
    path: Path, *, tail: int | None, follow: bool, ended: asyncio.Event | None, until: float = 0.0
) -> AsyncGenerator[bytes, None]:
    """The log's bytes from the last ``tail`` lines on (None: all). ``follow``: until ``ended`` is set or the clock says ``until``."""
    changed = asyncio.Event()
    with changes([path.parent] if follow else [], changed):
        parts = await asyncio.to_thread(_open_tail, path, tail)
        current: _Part | None = None
        try:
            while True:
                changed.clear()
                stopping = not follow or (ended is not None and ended.is_set()) or bool(until and time.time() > until)
                while True:
                    while current is not None and (data := await asyncio.to_thread(_read, current)):
                        yield data
                    newer = parts or (await asyncio.to_thread(_newer, path, current) if follow else [])
                    if not newer:
                        break
                    if current is not None:
                        while data := await asyncio.to_thread(_read, current):  # its last lines, written before the newer one came
                            yield data
                        os.close(current.fd)
                    current, parts = newer[0], newer[1:]
                if stopping:
                    return
                await _either(changed, ended, until)
        finally:
            for part in [*parts, *([current] if current is not None else [])]:
                os.close(part.fd)


def _read(part: _Part) -> bytes:
    data = os.pread(part.fd, _CHUNK, part.position)
    part.position += len(data)
    return data


async def _either(changed: asyncio.Event, ended: asyncio.Event | None, until: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (changed, ended) if event is not None]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=max(0.0, until - time.time()) + 0.01 if until else None)
    finally:
        for wait in waits:
            wait.cancel()


def _newer(path: Path, current: _Part | None) -> list[_Part]:
    """The files younger than ``current``, oldest first; [] when it is the written one (or about to be rotated away)."""
    with contextlib.suppress(FileNotFoundError):
        if current is not None and path.stat().st_ino == current.inode:
            return []
    parts = _open_all(path)
    if current is None:
        return parts
    inodes = [part.inode for part in parts]
    at = inodes.index(current.inode) + 1 if current.inode in inodes else 0  # not there: it was dropped, so all are younger
    for part in parts[:at]:
        os.close(part.fd)
    return parts[at:]


def _open_all(path: Path) -> list[_Part]:
    """All files as they are at one moment, oldest first: opened again when a rotation came between."""
    for _ in range(100):
        names = [path, *_rotated(path)]
        parts = [part for name in names if (part := _open(name)) is not None]
        if [part.inode for part in parts] == [inode for name in [path, *_rotated(path)] if (inode := _inode(name)) is not None]:
            return parts[::-1]
        for part in parts:
            os.close(part.fd)
    return []


def _rotated(path: Path) -> list[Path]:
    """The rotated files, youngest first."""
    found = [entry for entry in path.parent.glob(f"{path.name}.*") if entry.suffix[1:].isdigit()]
    return sorted(found, key=lambda entry: int(entry.suffix[1:]))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _open(path: Path) -> _Part | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    return _Part(fd, os.fstat(fd).st_ino, _begin(fd))


def _begin(fd: int) -> int:
    """Where the lines begin: at 0, or behind the hole that was punched into the head."""
    try:
        data = os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:  # ENXIO: no data at all
        return os.fstat(fd).st_size
    if data == 0 and os.pread(fd, 1, 0) != b"\0":
        return 0
    position = data
    while block := os.pread(fd, _BLOCK, position):
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(block)
    return position


def _open_tail(path: Path, tail: int | None) -> list[_Part]:
    """The files that hold the last ``tail`` lines, oldest first, each at the place to read from."""
    parts = _open_all(path)
    if tail is None:
        return parts
    finished: set[bytes] = set()  # streams of which the end of a line was seen (reading backward)
    begun: set[bytes] = set()  # streams whose last line has no end yet
    lines = 0
    for number in range(len(parts) - 1, -1, -1):
        for end, record in _records_backward(parts[number].fd, parts[number].position):
            stream, whole = _kind(record)
            if whole:
                finished.add(stream)
                lines += 1
            elif stream not in finished and stream not in begun:
                begun.add(stream)
                lines += 1
            if lines > tail:
                parts[number].position = end
                for older in parts[:number]:
                    os.close(older.fd)
                return parts[number:]
    return parts


def _kind(record: bytes) -> tuple[bytes, bool]:
    """(stream, whether the record ends a line)."""
    words = record.split(b" ", 3)
    return (words[1], words[2] != b"P") if len(words) > 2 else (b"", True)


def _records_backward(fd: int, begin: int) -> Iterator[tuple[int, bytes]]:
    """(offset behind it, its bytes) of each whole record from the end of the file down to ``begin``."""
    position = os.fstat(fd).st_size
    carry = b""  # the rest of a record whose beginning lies further in front
    trimmed = False
    while position > begin:
        start = max(begin, position - _BLOCK)
        block = os.pread(fd, position - start, start) + carry
        position = start
        if not trimmed:  # what follows the last newline is being written
            block = block[: block.rfind(b"\n") + 1]
            if not block:
                continue
            trimmed = True
        records = block.split(b"\n")[:-1]
        first = 0 if start == begin else 1
        end = start + len(block)
        for record in reversed(records[first:]):
            yield end, record
            end -= len(record) + 1
        carry = records[0] + b"\n" if first else b""
