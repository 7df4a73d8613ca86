"""Reading several file descriptors of a process as one stream of frames, with back-pressure: what nobody takes is not read."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping

from composer.engine.model import LogFrame

_PIECE = 64 * 1024
_HELD = 256 * 1024  # bytes waiting for the consumer; beyond that the process waits
END_GRACE = 0.5  # seconds of silence after the process ended until a child that kept its descriptors is no longer waited for


class Output:
    """Frames from ``fds`` (descriptor -> stream number), which it owns and closes. End: all closed, or `process_ended` and silence."""

    def __init__(self, fds: Mapping[int, int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._fds = dict(fds)
        self._frames: deque[LogFrame] = deque()
        self._held = 0
        self._reading = False
        self._more = asyncio.Event()
        self._grace: asyncio.TimerHandle | None = None
        for fd in self._fds:
            os.set_blocking(fd, False)
        self._resume()

    async def frames(self) -> AsyncIterator[LogFrame]:
        """All frames until the end. One consumer."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._held -= len(frame.data)
                if self._held < _HELD and not self._reading:
                    self._resume()
                yield frame
            if not self._fds:
                return
            self._more.clear()
            await self._more.wait()

    def say(self, stream: int, data: bytes) -> None:
        """Add words of our own."""
        self._frames.append(LogFrame(stream, data))
        self._held += len(data)
        self._more.set()

    def process_ended(self) -> None:
        """What is on its way still comes; a descriptor that a background child holds open is not waited for."""
        if self._fds:
            self._restart_grace()

    def close(self) -> None:
        """Stop reading; the frames that were read can still be taken."""
        self._pause()
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._more.set()

    def _restart_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        self._grace = self._loop.call_later(END_GRACE, self._grace_over)

    def _grace_over(self) -> None:
        if self._reading:
            self.close()
        elif self._fds:  # the consumer is slow, not the process silent
            self._restart_grace()

    def _resume(self) -> None:
        self._reading = True
        for fd, stream in self._fds.items():
            self._loop.add_reader(fd, self._read, fd, stream)

    def _pause(self) -> None:
        self._reading = False
        for fd in self._fds:
            self._loop.remove_reader(fd)

    def _read(self, fd: int, stream: int) -> None:
        try:
            data = os.read(fd, _PIECE)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process of a terminal has closed it
            data = b""
        if not data:
            self._loop.remove_reader(fd)
            os.close(fd)
            del self._fds[fd]
            if not self._fds:
                self.close()
        else:
            self._frames.append(LogFrame(stream, data))
            self._held += len(data)
            if self._held >= _HELD:
                self._pause()
            if self._grace is not None:
                self._restart_grace()
        self._more.set()


async def write_all(fd: int, data: bytes) -> bool:
    """Write to a non-blocking descriptor, waiting where it is full; False when nobody reads it any more."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            free = asyncio.Event()
            loop.add_writer(fd, free.set)
            try:
                await free.wait()
            finally:
                loop.remove_writer(fd)
        except OSError:  # EPIPE, EIO
            return False
    return True
