"""The live streams of a container's process. A client may attach before the start: it then waits, and misses nothing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

from composer.engine.errors import Conflict
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Phase
from composer.engine.local.runtime import Bundle, Handle
from composer.engine.model import LogFrame, Stream

ACCEPTED = 1.0  # seconds that conmon may take to accept a connection


class Waiting:
    """A Stream that begins when the container starts, and ends without a byte when it is removed or its start fails."""

    def __init__(self, *, stdin: bool) -> None:
        self.stdin = stdin
        self._ready: asyncio.Future[Stream | None] = asyncio.get_running_loop().create_future()

    def resolve(self, stream: Stream | None) -> None:
        if not self._ready.done():
            self._ready.set_result(stream)

    async def __aiter__(self) -> AsyncIterator[LogFrame]:
        stream = await asyncio.shield(self._ready)
        if stream is not None:
            async for frame in stream:
                yield frame

    async def write(self, data: bytes) -> None:
        stream = await asyncio.shield(self._ready)
        if stream is not None:
            await stream.write(data)

    async def close_stdin(self) -> None:
        stream = await asyncio.shield(self._ready)
        if stream is not None:
            await stream.close_stdin()

    async def close(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)
            return
        stream = self._ready.result()
        if stream is not None:
            await stream.close()

    @property
    def closed(self) -> bool:
        return self._ready.done()


async def attach(parts: Parts, held: Held, *, stdin: bool) -> Stream:
    """Conflict: it is paused or being removed."""
    phase = held.run.phase
    if phase is Phase.PAUSED:
        raise Conflict(f"container {held.id} is paused, unpause the container before attach")
    if phase in (Phase.REMOVING, Phase.DEAD):
        raise Conflict(f"container {held.id} is marked for removal")
    stdin = stdin and held.record.config.open_stdin
    if phase is Phase.RUNNING:
        stream: Stream = await parts.runtime.attach(parts.bundle(held), stdin=stdin)
    else:
        stream = Waiting(stdin=stdin)
        held.waiting.append(stream)
    parts.publish(held, "attach")
    return stream


async def connect_waiting(parts: Parts, held: Held, bundle: Bundle, handle: Handle) -> None:
    """Between create and start: give those who wait their streams, so that the first byte reaches them.

    A connection counts once conmon has accepted it, which shows by its having one more open file.
    """
    waiting, held.waiting = held.waiting, []
    for one in waiting:
        if not one.closed:
            before = _open_files(handle)
            one.resolve(await parts.runtime.attach(bundle, stdin=one.stdin))
            deadline = time.monotonic() + ACCEPTED
            while _open_files(handle) <= before and time.monotonic() < deadline:  # noqa: ASYNC110 (conmon tells no event)
                await asyncio.sleep(0.001)


def _open_files(handle: Handle) -> int:
    try:
        return len(os.listdir(f"/proc/{handle.conmon.pid}/fd"))
    except OSError:
        return 0


def end_waiting(held: Held) -> None:
    waiting, held.waiting = held.waiting, []
    for one in waiting:
        one.resolve(None)


class WithLog:
    """A live stream with what was written before in front of it. What is written in between may be told twice or not at all."""

    def __init__(self, stream: Stream, log: AsyncIterator[LogFrame]) -> None:
        self._stream = stream
        self._log = log

    async def __aiter__(self) -> AsyncIterator[LogFrame]:
        async for frame in self._log:
            yield LogFrame(frame.stream, frame.data)
        async for frame in self._stream:
            yield frame

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    async def close_stdin(self) -> None:
        await self._stream.close_stdin()

    async def close(self) -> None:
        await self._stream.close()
