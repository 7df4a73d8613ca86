"""Keeps the engine's nft table as `ruleset` renders it: one swap for all changes of a moment, and a look whether somebody altered it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from composer.engine.errors import EngineError
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.ruleset import BridgeRule, PortRule, render

_QUIET = 0.5  # seconds
Facts = tuple[Iterable[BridgeRule], Iterable[PortRule]]


class Firewall:
    """``facts``: what is to be rendered, asked at each swap."""

    def __init__(self, kernel: Kernel, table: str, facts: Callable[[], Facts]) -> None:
        self._kernel = kernel
        self._table = table
        self._facts = facts
        self._applied = ""
        self._generation = -1
        self._baseline: str | None = None  # what nft lists for the rules as we applied them
        self._timer: asyncio.TimerHandle | None = None
        self._listing_task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._waiting: list[asyncio.Future[None]] = []
        self._swapping: asyncio.Task[None] | None = None

    async def apply(self) -> None:
        """The table is as the facts were, at the earliest, when this was called. Raises EngineError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if self._swapping is None or self._swapping.done():
            self._swapping = asyncio.get_running_loop().create_task(self._swap_waiting())
        await done

    async def _swap_waiting(self) -> None:
        await asyncio.sleep(0)  # let others of this moment join
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await self._swap()
            except EngineError as error:
                for done in waiting:
                    if not done.done():
                        done.set_exception(error)
                continue
            for done in waiting:
                if not done.done():
                    done.set_result(None)

    async def _swap(self) -> None:
        async with self._lock:
            text = render(self._table, *self._facts())
            if text != self._applied:
                await self._put(text)

    async def _put(self, text: str) -> None:
        self._applied, self._baseline = "", None
        self._generation = await self._kernel.swap(text)
        self._applied = text
        self._remember_later()

    def _remember_later(self) -> None:
        """List what was applied once it has stood for a moment: comparing with it costs no swap, so engines never wake each other."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_QUIET, self._remember)

    def _remember(self) -> None:
        self._listing_task = asyncio.get_running_loop().create_task(self._take_baseline())

    async def _take_baseline(self) -> None:
        async with self._lock:
            listing = await self._listing()
            if await self._kernel.generation() == self._generation:
                self._baseline = listing

    async def heal(self) -> bool:
        """Put the table right when it is not ours any more; whether it was so. Costs nothing while nobody changed any nft rule."""
        async with self._lock:
            generation = await self._kernel.generation()
            if generation == self._generation or not self._applied:
                return False
            before, expected = await self._listing(), self._baseline
            if before == expected:
                self._generation = generation
                return False
            await self._put(self._applied)
            if expected is None:
                expected = self._baseline = await self._listing()
            return before != expected

    async def _listing(self) -> str:
        try:
            return await self._kernel.nft(f"list table inet {self._table}\n")
        except EngineError:
            return ""  # it is not there

    async def clear(self) -> None:
        """Remove the table: there is no network left that needs it."""
        if self._timer is not None:
            self._timer.cancel()
        async with self._lock:
            await self._kernel.swap(render(self._table, (), ()))
            self._applied = ""

    async def close(self) -> None:
        """Wait for what is under way; the rules stay."""
        if self._timer is not None:
            self._timer.cancel()
        for task in (self._swapping, self._listing_task):
            if task is not None:
                await task
