"""Work that tells what it does, as an async iterator of Progress: `relay(work)` yields what it tells, then raises what it raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from composer.engine.model import Progress

Tell = Callable[[Progress], None]


async def relay(work: Callable[[Tell], Awaitable[None]]) -> AsyncIterator[Progress]:
    """Closing the iterator cancels the work and waits until it has undone what it began. The work paces what it tells."""
    queue: asyncio.Queue[Progress | None] = asyncio.Queue()

    async def run() -> None:
        try:
            await work(queue.put_nowait)
        finally:
            queue.put_nowait(None)

    task = asyncio.ensure_future(run())
    try:
        while (progress := await queue.get()) is not None:
            yield progress
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
