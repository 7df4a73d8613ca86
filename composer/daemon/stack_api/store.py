"""What the daemon remembers of each stack: its revision, what is meant with each service, and what ran.

The row (small) is in the state's database; the files of the revision, which can hold secrets, are beside it in a file that only root
reads: ``stacks/<name>/request.json``. The file is on disk before the row that speaks of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from composer.engine.errors import Unavailable
from composer.engine.local.files import remove_tree, write_atomic
from composer.engine.local.state import State, Table

RUNNING, STOPPED, PAUSED, REMOVED, CREATED = "running", "stopped", "paused", "removed", "created"


@dataclass(frozen=True)
class StackRow:
    """``intent``: service -> what is wanted of it by the stack's own commands; a service that is not there is not looked after.

    ``number``: that of the revision that is wanted (see `revisions`), 0: none. ``ran``: ids of the containers that ran when last looked
    at, in the boot ``boot``. ``held``: service -> the hash of its containers, which were left as they are though the file says otherwise
    (`--no-recreate`, or an `up` of other services).
    """

    name: str
    revision: str = ""
    intent: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, int] = field(default_factory=dict)
    ran: tuple[str, ...] = ()
    boot: str = ""
    config_files: str = ""
    number: int = 0
    held: Mapping[str, str] = field(default_factory=dict)

    def wanting(self, services: Mapping[str, str] | dict[str, str]) -> StackRow:
        """The same with these intents changed."""
        return replace(self, intent={**self.intent, **services})

    @cached_property
    def active(self) -> frozenset[str]:
        """The services that are to run."""
        return frozenset(name for name, wish in self.intent.items() if wish == RUNNING)


def _encode(row: StackRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "revision": row.revision,
        "intent": dict(row.intent),
        "scale": dict(row.scale),
        "ran": list(row.ran),
        "boot": row.boot,
        "config_files": row.config_files,
        "number": row.number,
        "held": dict(row.held),
    }


def _decode(doc: Mapping[str, Any]) -> StackRow:
    return StackRow(**{**doc, "ran": tuple(doc.get("ran", ()))})


class Store:
    """The rows and the requests of all stacks. ``directory``: stacks/ beneath the daemon's root."""

    def __init__(self, state: State, directory: Path) -> None:
        self._rows: Table[StackRow] = Table(state, "stack", encode=_encode, decode=_decode)
        self._directory = directory
        self._unwritten: set[str] = set()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __iter__(self) -> Any:
        return iter(self._rows)

    def row(self, name: str) -> StackRow:
        """The row; an empty one for a stack that is not known."""
        return self._rows.get(name) or StackRow(name)

    def known(self, name: str) -> bool:
        return name in self._rows

    def content(self, name: str) -> Path:
        """Where the content of the stack's secrets and configs is written."""
        return self._directory / name / "content"

    async def keep(self, row: StackRow, *, durable: bool = True) -> None:
        """Insert or replace the row, unless it is the same. Unavailable: it is known in memory only, and written at the next chance."""
        if self._rows.get(row.name) == row and row.name not in self._unwritten:
            return
        self._unwritten.add(row.name)
        await self._rows.put(row.name, row, durable=durable)
        self._unwritten.discard(row.name)

    async def keep_request(self, name: str, request: Mapping[str, Any]) -> str:
        """Write the request's files; its revision (the hash of its content)."""
        data = json.dumps(request, sort_keys=True, separators=(",", ":")).encode()
        revision = hashlib.sha256(data).hexdigest()
        row = self._rows.get(name)
        if row is None or row.revision != revision:
            await asyncio.to_thread(self._write, name, data)
        return revision

    def _write(self, name: str, data: bytes) -> None:
        try:
            (self._directory / name).mkdir(mode=0o700, exist_ok=True)
            write_atomic(self._directory / name / "request.json", data, mode=0o600)
        except OSError as error:
            raise Unavailable(f"cannot keep the files of stack {name}: {error.strerror}", hint="is the disk full?") from error

    def request(self, name: str) -> dict[str, Any] | None:
        """The stored request; None when there is none."""
        if name not in self._rows:
            return None
        try:
            found = json.loads((self._directory / name / "request.json").read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"the stored files of stack {name} cannot be read: {error}", hint="run `up` with the stack's file again"
            ) from error
        return found if isinstance(found, dict) else None

    async def forget(self, name: str) -> None:
        """The row first, then the files."""
        if name in self._rows:
            await self._rows.delete(name)
        if (self._directory / name).exists():
            await asyncio.to_thread(remove_tree, self._directory / name)
