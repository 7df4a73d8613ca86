"""What happened to the stacks, kept over the daemon's end: **drift** (what was not as it should be) and **works** (what was done, and why).

Two rings for each stack, in the state's database: the newest `DRIFTS` and `WORKS`. A drift that is still there when it is looked at again
is the same one; it ends when it is healed, or when nothing is found of it any more. Times are seconds since 1970.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from composer.engine.local.state import State, Table

DRIFTS, WORKS = 200, 60  # of each stack
ACTIONS = 200  # of one work
ENGINE = ""  # the "stack" of what concerns all: the engine's nft table

HEALED, REPORTED, IGNORED, FAILED = "healed", "reported", "ignored", "failed"


class _Row(Protocol):
    @property
    def stack(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Drift:
    """``subject``: "container p-web-1". ``kind``: of an ailment; "" for a difference from the file, "engine" for what the engine put right.

    ``found``: by what ("event container die", "resync", "start"). ``since``: when it began, as far as is known. ``ended``: 0 while it
    lasts. ``took``: seconds from ``since`` to its healing. ``detail``: what was done, or why it could not be. ``count``: looks that saw it.
    """

    stack: str
    service: str
    subject: str
    what: str
    kind: str = ""
    found: str = ""
    since: float = 0.0
    result: str = ""
    ended: float = 0.0
    took: float = 0.0
    detail: str = ""
    count: int = 1
    number: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        return self.service, self.subject, self.kind


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done to a container, network or volume: its verbs ("create, start"), and why."""

    service: str
    subject: str
    verb: str
    cause: str
    result: str = "done"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """One command or healing: ``by``: "up", "healing", "stop" ...; ``services``: those that were meant, () for all."""

    stack: str
    by: str
    at: float
    took: float = 0.0
    revision: str = ""
    outcome: str = "done"
    services: tuple[str, ...] = ()
    deeds: tuple[Deed, ...] = ()


T = TypeVar("T", bound=_Row)


class Ring(Generic[T]):
    """The newest ``most`` rows of each stack, in order of time."""

    def __init__(self, state: State, kind: str, most: int, decode: Callable[[Mapping[str, Any]], T]) -> None:
        self._table: Table[T] = Table(state, kind, encode=_encode, decode=decode)
        self._most = most
        self._keys: dict[str, deque[str]] = {}
        last = 0
        for key, row in sorted(self._table.items()):
            self._keys.setdefault(row.stack, deque()).append(key)
            last = max(last, int(key.rpartition("/")[2], 16))
        self._numbers = itertools.count(last + 1)

    def of(self, stack: str) -> list[T]:
        """The rows of a stack, the oldest first."""
        return [row for key in self._keys.get(stack, ()) if (row := self._table.get(key)) is not None]

    async def add(self, row: T) -> str:
        """Append; its key. The oldest goes when there are too many."""
        keys = self._keys.setdefault(row.stack, deque())
        key = f"{row.stack}/{next(self._numbers):012x}"
        keys.append(key)
        while len(keys) > self._most:
            await self._table.delete(keys.popleft(), durable=False)
        await self._table.put(key, row, durable=False)
        return key

    async def put(self, key: str, row: T) -> None:
        """Replace a row, unless it has gone meanwhile."""
        if key in self._table:
            await self._table.put(key, row, durable=False)

    def items(self, stack: str) -> list[tuple[str, T]]:
        return [(key, row) for key in self._keys.get(stack, ()) if (row := self._table.get(key)) is not None]

    async def forget(self, stack: str) -> None:
        for key in self._keys.pop(stack, ()):
            await self._table.delete(key, durable=False)


def _encode(row: Any) -> dict[str, Any]:
    return dataclasses.asdict(row)


def _drift(doc: Mapping[str, Any]) -> Drift:
    return Drift(**doc)


def _work(doc: Mapping[str, Any]) -> Work:
    deeds = tuple(Deed(**deed) for deed in doc["deeds"])
    return Work(**{**doc, "services": tuple(doc["services"]), "deeds": deeds})


@dataclass
class Journal:
    """One for the daemon."""

    state: State
    drifts: Ring[Drift] = field(init=False)
    works: Ring[Work] = field(init=False)

    def __post_init__(self) -> None:
        self.drifts = Ring(self.state, "drift", DRIFTS, _drift)
        self.works = Ring(self.state, "work", WORKS, _work)

    def open(self, stack: str) -> dict[tuple[str, str, str], tuple[str, Drift]]:
        """The drifts that last."""
        return {drift.key: (key, drift) for key, drift in self.drifts.items(stack) if not drift.ended}

    async def see(self, stack: str, found: Iterable[Drift], now: float) -> None:
        """All that a look has found, judged: what is new is added, what lasts goes on, what is not there any more has ended.

        A drift that is found with an ``ended`` of its own (healed) ends with it.
        """
        lasting = self.open(stack)
        for drift in found:
            before = lasting.pop(drift.key, None)
            if before is None:
                await self.drifts.add(drift)
                continue
            key, old = before
            changed = replace(drift, since=old.since, found=old.found, count=old.count + 1)
            if changed.ended:
                changed = replace(changed, took=changed.ended - changed.since)
            if (changed.what, changed.result, changed.detail, changed.ended) != (old.what, old.result, old.detail, old.ended):
                await self.drifts.put(key, changed)
        for key, old in lasting.values():
            await self.drifts.put(key, replace(old, ended=now))

    def healed(self, stack: str, subject: str, kinds: Iterable[str]) -> list[float]:
        """When this subject was healed of ailments of these kinds."""
        return [d.ended for d in self.drifts.of(stack) if d.subject == subject and d.kind in set(kinds) and d.result == HEALED]

    async def forget(self, stack: str) -> None:
        """The stack is gone."""
        await self.drifts.forget(stack)
        await self.works.forget(stack)
