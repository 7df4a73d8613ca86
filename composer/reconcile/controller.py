"""The loop that keeps stacks as they are meant: events are hints, the decision comes from a fresh look.

A queue of stacks by name: a name is in it once, is never worked on twice at the same time, and is put back when something happens while it
is worked on. What fails is tried again after 1, 2, 4 ... seconds, a minute at most; until then events of the services that failed do not
count (they are mostly our own attempts), those of others do. Every ``resync`` seconds all stacks are looked at, whatever was or was not
heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from composer.engine.errors import EngineError
from composer.engine.interface import Engine
from composer.engine.model import Event
from composer.reconcile import labels

RESYNC = 60.0
_SETTLE = 0.01  # seconds: several events of one moment are one look
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0
_AFTER_COMMAND = 5.0  # the user has just seen the failure
_RECONNECT = 1.0
_AT_ONCE = 4

# What changes nothing that a stack is about.
_DULL = ("exec_", "health_status", "top", "attach", "resize", "commit", "export", "archive-path", "copy", "detach")
_ALL_STACKS = {("network", "destroy"), ("network", "disconnect"), ("volume", "destroy")}

# A stack's name -> the services that could not be put right; None: a command is at work on it, so not now.
Heal = Callable[[str], Awaitable[Collection[str] | None]]


class Log(Protocol):
    def info(self, event: str, /, **fields: object) -> object: ...
    def error(self, event: str, /, **fields: object) -> object: ...


@dataclass
class _Entry:
    due: float | None = 0.0  # loop time; None: nothing to do
    working: bool = False
    again: bool = False
    failures: int = 0
    failed: frozenset[str] = field(default_factory=frozenset)


class Controller:
    """``names``: all stacks that are looked after; ``heal``: look at one and put it right; ``mend``: put the engine's own things right."""

    def __init__(
        self,
        engine: Engine,
        names: Callable[[], Iterable[str]],
        heal: Heal,
        log: Log,
        *,
        mend: Callable[[], Awaitable[Collection[str]]] | None = None,
        resync: float = RESYNC,
    ) -> None:
        self._engine, self._names, self._heal, self._log = engine, names, heal, log
        self._mend = mend
        self._resync = resync
        self._entries: dict[str, _Entry] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._tick())
            await self._dispatch(group)

    def look(self, name: str) -> None:
        """Look at this stack soon; not before its time when it failed and is to be tried again later."""
        entry = self._entries.setdefault(name, _Entry(due=None))
        if entry.working:
            entry.again = True
        elif entry.due is None or not entry.failures:
            self._schedule(entry, _SETTLE)

    def after_command(self, name: str, failed: Collection[str] = ()) -> None:
        """A command has worked on the stack: earlier failures do not count; what it could not do itself is tried again later."""
        entry = self._entries.setdefault(name, _Entry(due=None))
        entry.failures, entry.failed = (1 if failed else 0), frozenset(failed)
        if not entry.working:
            entry.due = None
            self._schedule(entry, _AFTER_COMMAND if failed else _SETTLE)

    def _schedule(self, entry: _Entry, delay: float) -> None:
        due = asyncio.get_running_loop().time() + delay
        entry.due = due if entry.due is None else min(entry.due, due)
        self._wake.set()

    # What calls for a look.

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self._engine.events({"type": ["container", "network", "volume"]}):
                    self._hear(event)
            except EngineError as error:
                self._log.error("the engine's events broke off", error=str(error))
            for name in self._names():
                self.look(name)
            await asyncio.sleep(_RECONNECT)

    def _hear(self, event: Event) -> None:
        if event.type == "container":
            attributes = event.actor.attributes
            name = attributes.get(labels.PROJECT, "")
            if not name or event.action.startswith(_DULL):
                return
            entry = self._entries.get(name)
            if entry is not None and entry.failures:
                if attributes.get(labels.SERVICE, "") not in entry.failed and not entry.working:
                    self._schedule(entry, _SETTLE)  # not one of our own attempts
            elif name in set(self._names()):
                self.look(name)
        elif (event.type, event.action) in _ALL_STACKS:
            for name in self._names():
                self.look(name)

    async def _tick(self) -> None:
        while True:
            for name in self._names():
                self.look(name)
            if self._mend is not None:
                try:
                    mended = await self._mend()
                    if mended:
                        self._log.info("put right", what=", ".join(sorted(mended)))
                except EngineError as error:
                    self._log.error("the engine could not put itself right", error=str(error))
            await asyncio.sleep(self._resync)

    # The queue.

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            now = loop.time()
            for name, entry in list(self._entries.items()):
                if entry.due is not None and entry.due <= now and not entry.working:
                    entry.working, entry.due = True, None
                    group.create_task(self._work(name, entry))
            waiting = [entry.due for entry in self._entries.values() if entry.due is not None and not entry.working]
            try:
                async with asyncio.timeout(max(0.0, min(waiting) - now) if waiting else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _work(self, name: str, entry: _Entry) -> None:
        async with self._slots:
            found = await self._heal(name)
        entry.working = False
        if found is None:
            entry.again = False
            self._schedule(entry, _AFTER_COMMAND)
            return
        failed = entry.failed = frozenset(found)
        entry.failures = entry.failures + 1 if failed else 0
        if failed:
            self._schedule(entry, min(_FIRST_RETRY * 2 ** (entry.failures - 1), _LAST_RETRY))
        elif entry.again:
            self._schedule(entry, _SETTLE)
        elif name not in set(self._names()):
            del self._entries[name]
        entry.again = False
        self._wake.set()
