"""Watching what runs: each container's end is seen, recorded and followed by what its policy says: a restart, or its removal."""

from __future__ import annotations

import asyncio
import logging
import time

from composer.engine.local.containers import ending, remove
from composer.engine.local.containers.parts import Parts, handle_of, seconds
from composer.engine.local.containers.registry import Held
from composer.engine.local.containers.start import start_locked
from composer.engine.local.health import Health
from composer.engine.local.lifecycle import Attempts, Phase, pause
from composer.errors import ComposerError

log = logging.getLogger(__name__)


class Supervisor:
    """One task a container that runs, or waits for its restart. `Parts.tasks` owns them."""

    def __init__(self, parts: Parts, health: Health) -> None:
        self._parts = parts
        self._health = health

    def watch(self, held: Held) -> None:
        """It runs: see its end, and probe its health meanwhile."""
        self._parts.tasks.spawn(self._watch(held), f"container {held.id[:12]}")
        self._health.follow(held)

    async def _watch(self, held: Held) -> None:
        bundle, handle = self._parts.bundle(held), handle_of(held)
        exit = await self._parts.runtime.wait(bundle, handle)
        async with held.lock:
            if held.run.handle != handle:  # another end of it was dealt with before
                return
            again = await ending.ended(self._parts, held, exit)
        if again is not None:
            await self.restart_later(held, again)
        elif held.record.config.host_config.auto_remove and not held.keep:
            await self._remove(held)

    async def restart_later(self, held: Held, attempts: Attempts) -> None:
        """Wait out the delay, then start it, unless it was stopped, started or removed meanwhile."""
        ran = seconds(held.run.finished_at) - seconds(held.run.started_at)
        deadline = time.monotonic() + pause(attempts, ran=ran)
        while held.run.phase is Phase.RESTARTING and (left := deadline - time.monotonic()) > 0:
            changed = held.changed
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                break
        async with held.lock:
            if held.run.phase is not Phase.RESTARTING:
                return
            try:
                await start_locked(self._parts, held, attempts=attempts)
            except ComposerError as error:  # as in Docker: what cannot be started is not tried again
                log.warning("container %s cannot be restarted: %s", held.name, error.message)

    async def _remove(self, held: Held) -> None:
        try:
            await remove.remove(self._parts, held, force=True, volumes=True)
        except ComposerError as error:
            log.warning("container %s cannot be removed after its end: %s", held.name, error.message)
