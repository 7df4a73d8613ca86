"""The containers that exist, by id, name and prefix; and what the engine holds of each in memory (`Held`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from composer.engine.errors import Conflict, InvalidArgument, NotFound
from composer.engine.local.containers.record import Record, Run
from composer.engine.local.containers.sealing import SealedRecords
from composer.engine.local.seal import KEY_FILE, Seal
from composer.engine.local.state import State, Table
from composer.engine.model import HostConfig, ProcessConfig

if TYPE_CHECKING:
    from composer.engine.local.containers.attach import Waiting
    from composer.engine.local.containers.exec import Session


class Shown(NamedTuple):
    """What every view of a container repeats, made once for a record."""

    record: Record
    config: ProcessConfig
    host: HostConfig


@dataclass(eq=False)
class Held:
    """One container in memory. ``lock``: held by whoever changes it. ``changed``: set and renewed at every change of its state.

    ``keep``: a restart is under way, so auto_remove waits. ``gone``: it was removed.
    """

    record: Record
    run: Run
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)  # of the present run: set at its end
    ended: int = 0  # how often its process has ended, since this daemon started
    keep: bool = False
    released: bool = True  # nothing of it is in the kernel
    gone: bool = False
    shown: Shown | None = None
    execs: dict[str, Session] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    def notify(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Registry:
    """All rows of containers. Lookups are from memory; names are reserved before anything is made."""

    def __init__(self, state: State) -> None:
        rows = SealedRecords(Seal(state.path.parent / KEY_FILE))
        self._records: Table[Record] = Table(state, "container", encode=rows.encode, decode=rows.decode)
        self._runs: Table[Run] = Table(state, "run", encode=Run.encode, decode=Run.decode)
        self._held: dict[str, Held] = {key: Held(record, self._runs.get(key) or Run()) for key, record in self._records.items()}
        self._names: dict[str, str] = {held.name: held.id for held in self._held.values()}
        self._volumes: dict[str, set[str]] = {}
        self._images: dict[str, set[str]] = {}
        for held in self._held.values():
            self._index(held.record)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, ident: str) -> bool:
        return ident in self._held

    def get(self, ident: str) -> Held | None:
        return self._held.get(ident)

    def find(self, ref: str) -> Held:
        """By id, name, or unambiguous id prefix. NotFound; InvalidArgument when several ids begin so."""
        plain = ref.removeprefix("/")
        held = self._held.get(plain) or self._held.get(self._names.get(plain, ""))
        if held is not None:
            return held
        if plain and all(c in "0123456789abcdef" for c in plain):
            found = [h for key, h in self._held.items() if key.startswith(plain)]
            if len(found) == 1:
                return found[0]
            if found:
                raise InvalidArgument(f"multiple IDs found with provided prefix: {ref}", hint="give more of the id")
        raise NotFound(f"No such container: {ref}", hint="`composer container ls -a` shows those that exist")

    def named(self, name: str) -> Held | None:
        return self._held.get(self._names.get(name, ""))

    def check_free(self, name: str) -> None:
        """Conflict, in Docker's words, when another container has the name."""
        owner = self._names.get(name)
        if owner is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    async def add(self, record: Record, run: Run) -> Held:
        """Reserve the name and record it, durably, before anything is made."""
        self.check_free(record.name)
        held = Held(record, run)
        self._held[record.id] = held
        self._names[record.name] = record.id
        self._index(record)
        await asyncio.gather(self._records.put(record.id, record), self._runs.put(record.id, run))
        return held

    async def record(self, held: Held, record: Record, *, durable: bool = True) -> None:
        """Replace the wish: made, renamed, updated, connected."""
        if record.name != held.name:
            self.check_free(record.name)
            del self._names[held.name]
            self._names[record.name] = record.id
        held.record = record
        await self._records.put(record.id, record, durable=durable)

    async def run(self, held: Held, run: Run, *, durable: bool = True) -> None:
        """Replace the state, and wake who waits for a change."""
        held.run = run
        held.notify()
        await self._runs.put(held.id, run, durable=durable)

    def mark(self, held: Held, run: Run) -> None:
        """Replace the state in memory only: what a crash may forget."""
        held.run = run
        held.notify()

    async def drop(self, held: Held) -> None:
        """Forget it; its name is free from now on."""
        self._held.pop(held.id, None)
        if self._names.get(held.name) == held.id:
            del self._names[held.name]
        self.let_go(held)
        self._images.get(held.record.image, set()).discard(held.id)
        held.gone = True
        held.notify()
        await asyncio.gather(self._records.delete(held.id), self._runs.delete(held.id))

    def let_go(self, held: Held) -> None:
        """It uses its volumes no more: it is being removed."""
        for name in held.record.volumes:
            self._volumes.get(name, set()).discard(held.id)

    def _index(self, record: Record) -> None:
        for name in record.volumes:
            self._volumes.setdefault(name, set()).add(record.id)
        self._images.setdefault(record.image, set()).add(record.id)

    def volume_users(self, name: str) -> Sequence[str]:
        """The ids of the containers, running or not, that name the volume."""
        return sorted(self._volumes.get(name, ()))

    def image_users(self) -> dict[str, list[str]]:
        """Image id -> the names of the containers made from it."""
        return {image: sorted(self._held[i].name for i in ids) for image, ids in self._images.items() if ids}
