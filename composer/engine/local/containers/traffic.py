"""`interface.Traffic`: which containers get new connections, and when nobody is connected any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection

from composer.engine.errors import Unavailable
from composer.engine.local.containers.parts import Parts
from composer.engine.local.lifecycle import Phase
from composer.errors import ComposerError

log = logging.getLogger(__name__)
_SETTLE = 0.05  # seconds in which what was led to it just before the swap arrives
_FIRST, _LAST = 0.02, 0.25  # seconds between two looks: soon at first, then rarer


class LocalTraffic:
    """By reference, over the network room. Run `follow` as a task of the engine: the health of containers moves their ports."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._find = parts.registry.find
        parts.networks.reach.traffic.well = self._is_well

    def _is_well(self, container: str) -> bool:
        held = self._parts.registry.get(container)
        if held is None or held.run.phase is not Phase.RUNNING:
            return False
        return held.run.health is None or held.run.health.status == "healthy"

    async def share(self, ref: str, group: str, *, aside: bool | None = None) -> None:
        await self._parts.networks.reach.share(self._find(ref).id, group, aside=aside)

    async def admit(self, ref: str) -> None:
        await self._parts.networks.reach.set_aside(self._find(ref).id, False)

    async def retire(self, ref: str) -> None:
        await self._parts.networks.reach.set_aside(self._find(ref).id, True)

    async def drain(self, ref: str, timeout: float) -> int:
        held = self._find(ref)
        deadline = time.monotonic() + timeout
        await asyncio.sleep(min(_SETTLE, timeout))
        pause = _FIRST
        while held.run.phase.alive:
            left = await self._parts.networks.reach.inbound(held.id)
            if not left or time.monotonic() >= deadline:
                return left
            await asyncio.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(pause * 1.5, _LAST)
        return 0

    async def listens(self, ref: str) -> bool:
        return await self._parts.networks.reach.listens(self._find(ref).id)

    def aside(self) -> Collection[str]:
        return self._parts.networks.reach.traffic.aside()

    async def follow(self) -> None:
        """Weigh anew whoever starts or whose health changes, until cancelled."""
        while True:
            try:
                async for event in self._parts.events.subscribe({"type": ["container"], "event": ["start", "health_status"]}):
                    await self._weigh(event.actor.id)
                return
            except Unavailable:  # events were lost: all may have changed
                for held in self._parts.registry:
                    await self._weigh(held.id)

    async def _weigh(self, container: str) -> None:
        try:
            await self._parts.networks.reach.weigh(container)
        except ComposerError as error:
            log.error("the ports of container %s cannot be led anew: %s", container[:12], error.message)
