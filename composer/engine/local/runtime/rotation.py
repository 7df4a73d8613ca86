"""Rotating the logs of all running containers by one shared timer: a look at each file's size, nothing per container."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from composer.engine.errors import NotRunning
from composer.engine.local.runtime.logs import LogFile

INTERVAL = 1.0  # seconds between looks
BUSY = 0.1  # the next look after one that found something to do


class Rotation:
    """The logs that are written. A task of its own runs while there are any; `close` ends it."""

    def __init__(self) -> None:
        self._logs: dict[str, tuple[LogFile, Callable[[], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, key: str, log: LogFile, reopen: Callable[[], None]) -> None:
        """Watch ``log``; ``reopen`` asks its writer to open it anew."""
        self._logs[key] = (log, reopen)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="log rotation")

    def remove(self, key: str) -> None:
        self._logs.pop(key, None)

    async def close(self) -> None:
        self._logs.clear()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        pause = INTERVAL
        while self._logs:
            await asyncio.sleep(pause)
            rotated = await asyncio.to_thread(self._look, list(self._logs.items()))
            pause = BUSY if rotated else INTERVAL

    def _look(self, logs: list[tuple[str, tuple[LogFile, Callable[[], None]]]]) -> int:
        rotated = 0
        for key, (log, reopen) in logs:
            if log.is_due():
                try:
                    log.rotate(reopen)
                    rotated += 1
                except (OSError, NotRunning):  # the writer has ended, or the disk is full: what was written is kept as it is
                    self._logs.pop(key, None)
        return rotated
