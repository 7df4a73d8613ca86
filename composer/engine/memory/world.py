"""What the parts of the memory engine share: time, ids, events, and the records of all objects."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from composer.engine.filters import events as filtering
from composer.engine.filters.words import Filters
from composer.engine.memory.archive import Files
from composer.engine.memory.process import MemoryProcess, Program
from composer.engine.model import (
    Actor,
    Container,
    ContainerState,
    EndpointSettings,
    Event,
    Exec,
    Image,
    LogFrame,
    Network,
    PortBinding,
    ProcessConfig,
    Volume,
)

_KEPT_EVENTS = 1024


class Ticking:
    """A clock that moves one millisecond each time it is read, from 2026-01-01."""

    def __init__(self, start: float = 1767225600.0) -> None:
        self._now = start

    def __call__(self) -> float:
        self._now = round(self._now + 0.001, 3)
        return self._now


class Changed:
    """Tells all who wait that something is different now."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def next(self) -> None:
        await self._event.wait()


@dataclass
class Record:
    """A container and what Docker does not show of it. ``wishes``: its endpoints as they were asked for. ``group``: with whom it shares its
    host ports, "" with nobody; ``aside``: nothing new is led to it."""

    container: Container
    wishes: dict[str, EndpointSettings]
    anonymous: list[str] = field(default_factory=list)
    process: MemoryProcess | None = None
    restart: asyncio.TimerHandle | None = None
    output: list[LogFrame] = field(default_factory=list)
    files: Files = field(default_factory=Files)
    changed: Changed = field(default_factory=Changed)
    exits: int = 0
    removed: bool = False
    group: str = ""
    aside: bool = False

    @property
    def id(self) -> str:
        return self.container.id

    @property
    def name(self) -> str:
        return self.container.name.removeprefix("/")

    @property
    def running(self) -> bool:
        return self.container.state.running

    def set(self, **changes: object) -> None:
        """Change fields of its state."""
        self.container = self.container.replace(state=self.container.state.replace(**changes))
        self.changed.tell()

    def become(self, state: ContainerState) -> None:
        self.container = self.container.replace(state=state)
        self.changed.tell()


@dataclass
class ExecRecord:
    """``config``: the process as it was asked for."""

    exec: Exec
    container_id: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    tty: bool
    stdin: bool
    process: MemoryProcess | None = None


@dataclass
class ImageRecord:
    image: Image
    tags: list[str]


class World:
    """All objects by id (volumes by name), the clock, the ids, the events."""

    def __init__(self, clock: Callable[[], float] | None, program: Program | None) -> None:
        self.clock = clock or Ticking()
        self.program = program
        self.containers: dict[str, Record] = {}
        self.execs: dict[str, ExecRecord] = {}
        self.images: dict[str, ImageRecord] = {}
        self.registry: dict[str, ProcessConfig] = {}
        self.networks: dict[str, Network] = {}
        self.volumes: dict[str, Volume] = {}
        self.volume_files: dict[str, Files] = {}
        self.host_ports: dict[tuple[str, PortBinding], set[str]] = {}
        self.missing_commands: set[str] = set()
        self.healthy_at_once = False
        self._counts: dict[str, int] = {}
        self._events: list[Event] = []
        self._told = Changed()
        self._first = 0

    def next_id(self, kind: str) -> str:
        """64 hex digits, the same in each run: derived from the kind and a count."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return hashlib.sha256(f"{kind} {self._counts[kind]}".encode()).hexdigest()

    def now(self) -> str:
        return rfc3339(self.clock())

    def publish(self, kind: str, action: str, id: str, attributes: Mapping[str, str]) -> None:
        nano = int(self.clock() * 1e6) * 1000
        actor = Actor(id=id, attributes=dict(attributes))
        self._events.append(Event(type=kind, action=action, actor=actor, time=nano // 10**9, time_nano=nano))
        if len(self._events) > _KEPT_EVENTS:
            del self._events[0]
            self._first += 1
        self._told.tell()

    def tell(self, record: Record, action: str, **attributes: str) -> None:
        """Publish an event of a container: its labels, image and name are told with it."""
        config = record.container.config
        self.publish("container", action, record.id, {**config.labels, "image": config.image, "name": record.name, **attributes})

    def events(self, filters: Filters | None, since: float, until: float) -> AsyncIterator[Event]:
        """Begins with this call, not with the first read."""
        wanted = filtering.wanted(filters)
        return self._follow(self._first if since else self._first + len(self._events), wanted, since, until)

    async def _follow(self, at: int, filters: Filters, since: float, until: float) -> AsyncIterator[Event]:
        while True:
            while at - self._first < len(self._events):
                at = max(at, self._first)
                event = self._events[at - self._first]
                at += 1
                if until and event.time_nano > until * 1e9:
                    return
                if event.time_nano >= since * 1e9 and filtering.passes(event, filters):
                    yield event
            if until and self.clock() >= until:
                return
            try:
                async with asyncio.timeout(max(0.0, until - self.clock()) if until else None):
                    await self._told.next()
            except TimeoutError:
                continue


def rfc3339(seconds: float) -> str:
    """The time as Docker writes it, with nanoseconds; microseconds are what a float still holds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def epoch(text: str) -> float:
    """Seconds since 1970 of a time that `rfc3339` wrote."""
    return datetime.strptime(text[:26] + "Z", "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
