"""Docker's streams read back: the multiplexed format, log lines with their times, and the raw stream of attach and exec."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from composer.engine.docker.link import Link
from composer.engine.errors import Unavailable
from composer.engine.model import LogFrame
from composer.engine.model.stream import STDERR, STDOUT

_HEADER = 8  # bytes: stream number, three zeros, length (big-endian)
_LIMIT = 64 << 20  # bytes of one frame


class Demultiplexer:
    """Pieces of bytes in, whole frames out."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[LogFrame]:
        """Unavailable when the bytes are not in the format."""
        self._pending += data
        found: list[LogFrame] = []
        while len(self._pending) >= _HEADER:
            stream, size = self._pending[0], int.from_bytes(self._pending[4:8], "big")
            if stream > 3 or size > _LIMIT:
                raise Unavailable("the engine's output is not in the multiplexed format")
            if len(self._pending) < _HEADER + size:
                break
            found.append(LogFrame(STDERR if stream == STDERR else STDOUT, bytes(self._pending[_HEADER : _HEADER + size])))
            del self._pending[: _HEADER + size]
        return found


def raw(data: bytes) -> list[LogFrame]:
    """A TTY's output: all of it is STDOUT."""
    return [LogFrame(STDOUT, data)]


async def log_lines(pieces: AsyncIterator[bytes], tty: bool) -> AsyncIterator[LogFrame]:
    """Frames of `logs?timestamps=1` with the time taken off the front of each line."""
    if not tty:
        demultiplexer = Demultiplexer()
        async for piece in pieces:
            for frame in demultiplexer.feed(piece):
                yield _timed(frame)
        return
    pending = b""
    async for piece in pieces:
        *whole, pending = (pending + piece).split(b"\n")
        for line in whole:
            yield _timed(LogFrame(STDOUT, line + b"\n"))
    if pending:
        yield _timed(LogFrame(STDOUT, pending))


def _timed(frame: LogFrame) -> LogFrame:
    time, space, data = frame.data.partition(b" ")
    if not space or not time[:4].isdigit():
        return frame
    return LogFrame(frame.stream, data, time.decode("ascii", "replace"))


class RemoteStream:
    """composer.engine.model.Stream over a connection that left HTTP."""

    def __init__(self, link: Link, *, tty: bool) -> None:
        self._link = link
        self._split: Callable[[bytes], list[LogFrame]] = raw if tty else Demultiplexer().feed

    async def __aiter__(self) -> AsyncIterator[LogFrame]:
        while data := await self._link.read():
            for frame in self._split(data):
                yield frame

    async def write(self, data: bytes) -> None:
        await self._link.write(data)

    async def close_stdin(self) -> None:
        self._link.write_eof()

    async def close(self) -> None:
        await self._link.close()
