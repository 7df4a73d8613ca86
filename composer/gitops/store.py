"""What is remembered: a row for each source, and the latest events of its history, in the daemon's state."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from composer.engine.local.state import State, Table
from composer.gitops.model import Event, Row, decode, decode_event, encode, encode_event

EVENTS = 100  # of each source that are kept


class Store:
    """Rows by the source's name; events by name and number."""

    def __init__(self, state: State) -> None:
        self._rows: Table[Row] = Table(state, "gitops", encode=encode, decode=decode)
        self._settings: Table[str] = Table(state, "gitops-setting", encode=str, decode=str)
        self._events: Table[Event] = Table(state, "gitops-event", encode=encode_event, decode=decode_event)

    @property
    def listen(self) -> str:
        """The address at which webhooks are taken; "" none."""
        return self._settings.get("listen") or ""

    async def keep_listen(self, address: str) -> None:
        await self._settings.put("listen", address)

    def names(self) -> list[str]:
        return sorted(row.source.name for row in self._rows)

    def get(self, name: str) -> Row | None:
        return self._rows.get(name)

    async def keep(self, row: Row, *, durable: bool = True) -> None:
        """Insert or replace. ``durable=False``: what a restart sees again."""
        await self._rows.put(row.source.name, row, durable=durable)

    async def forget(self, name: str) -> None:
        await self._rows.delete(name)
        for key in self._keys(name):
            await self._events.delete(key, durable=False)

    async def tell(self, name: str, event: Event) -> None:
        """Add to the history; the oldest go."""
        keys = self._keys(name)
        number = int(keys[-1].rpartition("/")[2]) + 1 if keys else 1
        await self._events.put(f"{name}/{number:08d}", event)
        for key in keys[: max(0, len(keys) + 1 - EVENTS)]:
            await self._events.delete(key, durable=False)

    def history(self, name: str) -> list[Event]:
        """Oldest first."""
        rows = dict(self._events.items())
        return [rows[key] for key in self._keys(name)]

    def _keys(self, name: str) -> list[str]:
        return sorted(key for key, _ in self._events.items() if key.rpartition("/")[0] == name)


def new_secret(path: Path) -> str:
    """A random secret for webhooks, written for root alone; the secret."""
    secret = base64.urlsafe_b64encode(hashlib.sha256(os.urandom(64)).digest()).decode().rstrip("=")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(secret + "\n")
    return secret
