"""`interface.Traffic` in memory: flags on the records. Nobody is ever connected, so there is nothing to wait for."""

from __future__ import annotations

from collections.abc import Callable, Collection

from composer.engine.memory.world import Record, World


class MemoryTraffic:
    def __init__(self, world: World, find: Callable[[str], Record]) -> None:
        self._world = world
        self._find = find

    async def share(self, ref: str, group: str, *, aside: bool | None = None) -> None:
        record = self._find(ref)
        record.group = group
        record.aside = record.aside if aside is None else aside

    async def admit(self, ref: str) -> None:
        self._find(ref).aside = False

    async def retire(self, ref: str) -> None:
        self._find(ref).aside = True

    async def drain(self, ref: str, timeout: float) -> int:
        self._find(ref)
        return 0

    async def listens(self, ref: str) -> bool:
        return self._find(ref).running

    def aside(self) -> Collection[str]:
        return frozenset(record.id for record in self._world.containers.values() if record.aside)
