"""Between the event loop and blocking work in a thread: `feed` bytes into it, `drain` bytes out of it, memory bounded both ways.

A thread cannot be cancelled: when the caller is, its stream is cut (the work sees an error at its next read or write) and the thread is
waited for, so that nothing writes on after the operation has been undone.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import BinaryIO, TypeVar, cast

from composer.engine.errors import EngineError

_CHUNK = 1 << 20
T = TypeVar("T")


async def finish(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread; when cancelled, wait for it to end before passing the cancellation on."""
    future = asyncio.get_running_loop().run_in_executor(None, work)  # no task, no copied context: each start of a container comes here
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


async def feed(chunks: AsyncIterator[bytes], work: Callable[[BinaryIO], T]) -> T:
    """Run ``work`` in a thread, with a reader of ``chunks``. Returns and raises what ``work`` does."""
    inlet = _Inlet(asyncio.get_running_loop(), chunks)
    task = asyncio.ensure_future(asyncio.to_thread(work, cast(BinaryIO, io.BufferedReader(inlet, _CHUNK))))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        inlet.cut()
        await asyncio.wait([task])
        raise


async def drain(work: Callable[[BinaryIO], None]) -> AsyncIterator[bytes]:
    """Run ``work`` in a thread, with a writer, and yield what it writes; its error is raised after the bytes before it."""
    outlet = _Outlet(asyncio.get_running_loop())

    def run() -> None:
        try:
            with io.BufferedWriter(outlet, _CHUNK) as sink:  # type: ignore[type-var]
                work(cast(BinaryIO, sink))
        finally:
            outlet.put(b"")

    task = asyncio.ensure_future(asyncio.to_thread(run))
    try:
        while chunk := await outlet.queue.get():
            yield chunk
        await task
    finally:
        outlet.cut()
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # told already, or of no interest to one who stopped reading


class _Cut(EngineError):
    """The other side of the stream is gone."""


class _Inlet(io.RawIOBase):
    """A blocking reader, for a thread, of chunks that arrive on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, chunks: AsyncIterator[bytes]) -> None:
        self._loop = loop
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._waiting: Future[bytes] | None = None
        self._is_cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = self._pull()
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _pull(self) -> bytes | None:
        if self._is_cut:
            raise _Cut("the upload was cancelled")
        self._waiting = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        try:
            return self._waiting.result() or None
        except asyncio.CancelledError as error:
            raise _Cut("the upload was cancelled") from error

    async def _next(self) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""

    def cut(self) -> None:
        self._is_cut = True
        if self._waiting is not None:
            self._waiting.cancel()


class _Outlet(io.RawIOBase):
    """A blocking writer, for a thread, whose chunks are taken on the loop; it blocks while four are waiting."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(4)
        self._is_cut = False

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        self.put(bytes(data))
        if self._is_cut:
            raise _Cut("the reader has gone")
        return len(data)

    def put(self, chunk: bytes) -> None:
        if not self._is_cut:
            asyncio.run_coroutine_threadsafe(self.queue.put(chunk), self._loop).result()

    def cut(self) -> None:
        self._is_cut = True
        while not self.queue.empty():
            self.queue.get_nowait()
