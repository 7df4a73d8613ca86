"""The loop that keeps stacks as they are meant: events are hints, the decision comes from a fresh look.

A queue of stacks by name: a name is in it once, is never worked on twice at the same time, and is put back when something happens while it
is worked on. What fails is tried again after 1, 2, 4 ... seconds, a minute at most; until then events of the services that failed do not
count (they are mostly our own attempts), those of others do. Every ``resync`` seconds all stacks are looked at, whatever was or was not
heard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
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
_DULL = ("exec_", "health_status: starting", "top", "attach", "resize", "commit", "export", "archive-path", "copy", "detach")
_ALL_STACKS = {("network", "destroy"), ("network", "disconnect"), ("volume", "destroy"), ("image", "untag"), ("image", "delete")}
# what can be the beginning of a drift; others only make us look
_TELLING = frozenset(("die", "kill", "stop", "destroy", "pause", "oom", "rename", "update", "disconnect", "untag", "delete", "drift"))
_KINDS = ("container", "network", "volume", "image", "daemon")
MENDED, LOST = "mend", "drift"  # actions of events: the engine put its own thing right; it found what only a restart puts right
_MOST_HINTS = 1000


@dataclass(frozen=True, slots=True)
class Hint:
    """What made the controller look, in words, and when that was (seconds since 1970)."""

    what: str
    at: float


# A stack's name, and the hints by service ("" for all of it) -> the services that could not be put right; None: a command is at work on
# it, so not now.
Heal = Callable[[str, "Mapping[str, Hint]"], Awaitable[Collection[str] | None]]


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
    hints: dict[str, Hint] = field(default_factory=dict)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)  # for the end of the next look

    def hint(self, service: str, hint: Hint) -> None:
        """The first of a service counts: it says since when."""
        if len(self.hints) < _MOST_HINTS:
            self.hints.setdefault(service, hint)


class Controller:
    """``names``: all stacks that are looked after; ``heal``: look at one and put it right; ``mend``: put the engine's own things right;
    ``told``: is given the events by which the engine says what it mended (`MENDED`) or lost (`LOST`)."""

    def __init__(
        self,
        engine: Engine,
        names: Callable[[], Iterable[str]],
        heal: Heal,
        log: Log,
        *,
        mend: Callable[[], Awaitable[Collection[str]]] | None = None,
        told: Callable[[Event], Awaitable[None]] | None = None,
        resync: float = RESYNC,
    ) -> None:
        self._engine, self._names, self._heal, self._log = engine, names, heal, log
        self._mend, self._told = mend, told
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

    def look(self, name: str, hint: Hint | None = None, service: str = "") -> None:
        """Look at this stack soon; not before its time when it failed and is to be tried again later."""
        entry = self._entries.setdefault(name, _Entry(due=None))
        if hint is not None:
            entry.hint(service, hint)
        if entry.working:
            entry.again = True
        elif entry.due is None or not entry.failures:
            self._schedule(entry, _SETTLE)

    def after_command(self, name: str, failed: Collection[str] = ()) -> None:
        """A command has worked on the stack: earlier failures do not count; what it could not do itself is tried again later."""
        entry = self._entries.setdefault(name, _Entry(due=None))
        entry.failures, entry.failed = (1 if failed else 0), frozenset(failed)
        entry.hints = {"": Hint("a command's end", time.time())}
        if not entry.working:
            entry.due = None
            self._schedule(entry, _AFTER_COMMAND if failed else _SETTLE)

    def look_later(self, name: str, delay: float) -> None:
        """Look at this stack in so many seconds, whatever happens until then."""
        self._schedule(self._entries.setdefault(name, _Entry(due=None)), delay)

    async def look_now(self, name: str) -> None:
        """The engine puts its own things right, then the stack is looked at; returns when that is done."""
        await self._mend_engine()
        if name not in set(self._names()):
            return
        entry = self._entries.setdefault(name, _Entry(due=None))
        entry.hint("", Hint("a look by hand", time.time()))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry.waiting.append(done)
        entry.again = entry.working
        self._schedule(entry, 0.0)
        await done

    def _schedule(self, entry: _Entry, delay: float) -> None:
        due = asyncio.get_running_loop().time() + delay
        entry.due = due if entry.due is None else min(entry.due, due)
        self._wake.set()

    # What calls for a look.

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self._engine.events({"type": _KINDS}):
                    if event.action in (MENDED, LOST) and self._told is not None:
                        await self._told(event)
                    if event.action != MENDED:
                        self._hear(event)
            except EngineError as error:
                self._log.error("the engine's events broke off", error=str(error))
            for name in self._names():
                self.look(name, Hint("events were lost", time.time()))
            await asyncio.sleep(_RECONNECT)

    def _hear(self, event: Event) -> None:
        telling = event.action in _TELLING or event.action.startswith("health_status")
        code = event.actor.attributes.get("exitCode", "") if event.action == "die" else ""
        words = f"event {event.type} {event.action}" + (f" (exit {code})" if code else "")
        hint = Hint(words, event.time_nano / 1e9) if telling else None
        if event.type == "container":
            attributes = event.actor.attributes
            name = attributes.get(labels.PROJECT, "")
            if not name or event.action.startswith(_DULL):
                return
            entry = self._entries.get(name)
            service = attributes.get(labels.SERVICE, "")
            if entry is not None and entry.failures:
                if hint is not None:
                    entry.hint(service, hint)
                if service not in entry.failed and not entry.working:
                    self._schedule(entry, _SETTLE)  # not one of our own attempts
            elif name in set(self._names()):
                self.look(name, hint, service)
        elif (event.type, event.action) in _ALL_STACKS:
            for name in self._names():
                self.look(name, hint)

    async def _tick(self) -> None:
        reason = "start"
        while True:
            for name in self._names():
                self.look(name, Hint(reason, time.time()))
            await self._mend_engine()
            await asyncio.sleep(self._resync)
            reason = "resync"

    async def _mend_engine(self) -> None:
        if self._mend is None:
            return
        try:
            mended = await self._mend()
            if mended:
                self._log.info("put right", what=", ".join(sorted(mended)))
        except EngineError as error:
            self._log.error("the engine could not put itself right", error=str(error))

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
            hints, entry.hints = entry.hints, {}
            waiting, entry.waiting = entry.waiting, []
            found = await self._heal(name, hints)
        entry.working = False
        for done in waiting:
            if not done.done():
                done.set_result(None)
        if found is None:
            entry.again = False
            entry.hints = hints | entry.hints
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
