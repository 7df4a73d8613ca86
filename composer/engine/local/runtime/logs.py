"""A container's log on disk: conmon writes it, we rotate and read it.

``path`` is written; ``path.1`` is the newest that was rotated away, ``path.2`` older. Rotating renames and asks conmon to open anew
("2 0 0" on its ctl fifo): conmon finishes a line in the old file, so none is lost. What conmon writes faster than we rotate is cut at
the front by punching a hole (fallocate(2)): the disk is freed, readers keep their place.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

from composer.engine.errors import InvalidArgument
from composer.engine.local.linux.libc import check, libc
from composer.engine.local.runtime.logformat import Parser, seconds
from composer.engine.local.runtime.logread import pieces
from composer.engine.model import LogFrame, LogOptions
from composer.engine.model.stream import STDOUT

MAX_SIZE = 20 * 1000 * 1000
MAX_FILE = 5
DRIVERS = ("", "json-file", "local", "none")
_OPTIONS = frozenset({"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode", "max-buffer-size"})
REOPEN_PATIENCE = 5.0  # seconds until conmon has opened anew
_BLOCK = 64 * 1024
_KEEP_SIZE_PUNCH_HOLE = 3
_UNITS = {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


def limits(driver: str, options: Mapping[str, str]) -> tuple[int, int] | None:
    """(max_size, max_file) of a LogConfig; None for the driver ``none``. Raises InvalidArgument in dockerd's words."""
    if driver not in DRIVERS:
        raise InvalidArgument(f"logger: no log driver named '{driver}' is registered", hint="known are json-file, local and none")
    if driver == "none":
        return None
    for name in options:
        if name not in _OPTIONS:
            raise InvalidArgument(
                f"unknown log opt '{name}' for {driver or 'json-file'} log driver", hint=f"known are {', '.join(sorted(_OPTIONS))}"
            )
    size = _size(options["max-size"]) if options.get("max-size") else MAX_SIZE
    text = options.get("max-file", "")
    if text and not (text.isdigit() and int(text) > 0):
        raise InvalidArgument(f"max-file cannot be less than 1, and must be a number: {text!r}")
    return size, int(text) if text else MAX_FILE


def _size(text: str) -> int:
    lower = text.lower().strip().removesuffix("b")
    unit = lower[-1:] if lower[-1:].isalpha() else ""
    number = lower.removesuffix(unit)
    try:
        size = int(float(number) * _UNITS[unit])
    except (KeyError, ValueError) as error:
        raise InvalidArgument(f"invalid size: '{text}'", hint='write max-size as "10m"') from error
    if text.strip() == "-1":
        return 1 << 62
    if size <= 0:
        raise InvalidArgument("max-size must be a positive number")
    return size


class LogFile:
    """The log at ``path`` with its rotated predecessors: at most ``max_size`` bytes each (about), ``max_file`` of them."""

    def __init__(self, path: Path, max_size: int = MAX_SIZE, max_file: int = MAX_FILE) -> None:
        self.path = path
        self.max_size = max_size
        self.max_file = max_file

    async def read(self, options: LogOptions, *, ended: asyncio.Event | None = None) -> AsyncGenerator[LogFrame, None]:
        """The lines, oldest first, each a frame with its newline. With ``follow``, goes on until ``ended`` is set (None: for ever).

        ``tail`` counts lines of both streams, before any other option; a line without its newline comes when the log ends.
        """
        parser = Parser()
        until = options.until if options.follow else 0.0
        async with contextlib.aclosing(pieces(self.path, tail=options.tail, follow=options.follow, ended=ended, until=until)) as found:
            async for data in found:
                for frame in parser.feed(data):
                    if options.until and seconds(frame.time) > options.until:
                        return
                    if _wanted(frame, options):
                        yield frame
        for frame in parser.finish():
            if _wanted(frame, options):
                yield frame

    def rotated(self, number: int) -> Path:
        """The name of the ``number``-th youngest file; 0 is the one that is written."""
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def is_due(self) -> bool:
        """Whether the written file has reached its size."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_size >= self.max_size
        return False

    def rotate(self, reopen: Callable[[], None]) -> None:
        """Begin a new file. ``reopen`` asks the writer to; blocks until it has. Raises OSError, and what ``reopen`` raises."""
        for number in range(max(self.max_file - 1, 1), 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self.rotated(number - 1).rename(self.rotated(number))
        reopen()
        deadline = time.monotonic() + REOPEN_PATIENCE
        while not self.path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the writer of {self.path} does not open it anew")
            time.sleep(0.001)
        if self.max_file == 1:
            self.rotated(1).unlink(missing_ok=True)
        else:
            self._cut(range(1, self.max_file), self.max_size * (self.max_file - 1))

    def trim(self) -> None:
        """Cut what is too much, the oldest first. For a log that nobody writes any more."""
        self._cut(range(self.max_file), self.max_size * self.max_file)

    def remove(self) -> None:
        """All its files. Missing is fine."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            if path == self.path or path.suffix[1:].isdigit():
                path.unlink(missing_ok=True)

    def _cut(self, numbers: range, budget: int) -> None:
        for path in map(self.rotated, numbers):
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                size = os.fstat(fd).st_size
                if budget <= 0:
                    path.unlink(missing_ok=True)
                elif size > budget:
                    _punch_head(fd, size - budget)
                budget -= size
            finally:
                os.close(fd)


def _punch_head(fd: int, at_least: int) -> None:
    """Free the head of a file up to the first line that begins at or after ``at_least``, keeping the newline before it."""
    position = at_least
    while block := os.pread(fd, _BLOCK, position):
        found = block.find(b"\n")
        if found >= 0:
            position += found
            break
        position += len(block)
    result = libc.fallocate(fd, _KEEP_SIZE_PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(position))
    with contextlib.suppress(OSError):  # a file system that cannot: the log stays longer than asked
        check(result)


def _wanted(frame: LogFrame, options: LogOptions) -> bool:
    if not (options.stdout if frame.stream == STDOUT else options.stderr):
        return False
    return not options.since or seconds(frame.time) >= options.since
