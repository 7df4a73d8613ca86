"""File changes as asyncio events: one inotify(7) instance for a whole event loop (a user has only 128), closed when nobody watches."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

from composer.engine.local.linux.libc import check, libc

IN_MODIFY, IN_MOVED_TO, IN_CREATE = 0x2, 0x80, 0x100
_IN_CLOEXEC, _IN_NONBLOCK = os.O_CLOEXEC, os.O_NONBLOCK
_MASK = IN_MODIFY | IN_MOVED_TO | IN_CREATE  # the same for all: a second watch of a file replaces the mask of the first
_HEAD = struct.Struct("iIII")
_instances: WeakKeyDictionary[asyncio.AbstractEventLoop, Inotify] = WeakKeyDictionary()


class Inotify:
    """Who wants to know of which watch. Use `changes`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fd = -1
        self._waiting: dict[int, list[asyncio.Event]] = {}

    def add(self, path: Path, event: asyncio.Event) -> int:
        """Set ``event`` at each change of ``path``. Raises OSError (FileNotFoundError, ENOSPC when the machine has no watches left)."""
        if self._fd < 0:
            self._fd = check(libc.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK))
            self._loop.add_reader(self._fd, self._read)
        watch: int = libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(_MASK))
        if watch < 0:
            error = OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
            self._close_idle()
            raise error
        self._waiting.setdefault(watch, []).append(event)
        return watch

    def remove(self, watch: int, event: asyncio.Event) -> None:
        """Forget it; the instance closes with its last watch."""
        events = self._waiting.get(watch, [])
        if event in events:
            events.remove(event)
        if not events and watch in self._waiting:
            del self._waiting[watch]
            libc.inotify_rm_watch(self._fd, watch)  # fails when the file is gone: then the kernel removed it
        self._close_idle()

    def _close_idle(self) -> None:
        if not self._waiting and self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._fd, 65536)
            at = 0
            while at < len(data):
                watch, _, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size + length
                for event in self._waiting.get(watch, ()) if watch >= 0 else self._all():  # -1: the queue overflowed, so look at all
                    event.set()

    def _all(self) -> list[asyncio.Event]:
        return [event for events in self._waiting.values() for event in events]


@contextlib.contextmanager
def changes(paths: Sequence[Path], event: asyncio.Event) -> Iterator[None]:
    """While open, ``event`` is set when one of ``paths`` is written to or, for a directory, gets a new entry. Missing paths are skipped."""
    loop = asyncio.get_running_loop()
    instance = _instances.setdefault(loop, Inotify(loop))
    watches: list[int] = []
    try:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                watches.append(instance.add(path, event))
        yield
    finally:
        for watch in watches:
            instance.remove(watch, event)
