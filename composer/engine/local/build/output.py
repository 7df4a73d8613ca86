"""What a build tells while it goes on: lines, as BuildKit's plain progress prints them, through a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from composer.engine.model import Progress

_LIMIT = 1000  # lines that may wait; a slow reader slows the build


class Output:
    """`say` from the build, `follow` by the one who asked for it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Progress | None] = asyncio.Queue(_LIMIT)

    async def say(self, text: str) -> None:
        await self._queue.put(Progress(stream=text if text.endswith("\n") else f"{text}\n"))

    async def tell(self, progress: Progress) -> None:
        await self._queue.put(progress)

    async def follow(self, work: Coroutine[Any, Any, str]) -> AsyncIterator[Progress]:
        """Run ``work`` (it gives an image id), yield what it says, and at the end ``aux`` {"ID": id}. Closing this cancels the work."""
        task = asyncio.ensure_future(self._until_done(work))
        try:
            while (progress := await self._queue.get()) is not None:
                yield progress
            image_id = await task
            yield Progress(aux={"ID": image_id})
            yield Progress(stream=f"Successfully built {image_id.removeprefix('sha256:')[:12]}\n")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _until_done(self, work: Coroutine[Any, Any, str]) -> str:
        try:
            return await work
        finally:
            await self._queue.put(None)
