"""What a step gave last time, by a key of all that went into it: the base, every step before, its own words, the bytes it reads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from composer.engine.local.state import State, Table

LIMIT = 4096  # rows; the oldest go first


@dataclass(frozen=True, slots=True)
class Step:
    """A step's result. ``diff_id``, ``chain_id``: its layer, "" when it made none.

    ``created``: RFC 3339; kept so that a build from the cache gives the same image, to the bit.
    """

    created: str
    diff_id: str = ""
    chain_id: str = ""


def key_of(*parts: object) -> str:
    """A digest of the parts; any change of any of them gives another."""
    return hashlib.sha256(json.dumps(parts, separators=(",", ":"), default=str).encode()).hexdigest()


class Cache:
    """Rows that a lost layer makes void: the caller checks that the layer is still there."""

    def __init__(self, state: State) -> None:
        def decode(doc: dict[str, Any]) -> Step:
            return Step(**doc)

        self._rows: Table[Step] = Table(state, "build-step", encode=asdict, decode=decode)

    def get(self, key: str) -> Step | None:
        return self._rows.get(key)

    async def put(self, key: str, step: Step) -> None:
        await self._rows.put(key, step, durable=False)
        if len(self._rows) > LIMIT:
            for old, _ in sorted(self._rows.items(), key=lambda row: row[1].created)[: LIMIT // 8]:
                await self._rows.delete(old, durable=False)

    async def forget(self, key: str) -> None:
        await self._rows.delete(key, durable=False)

    def layers(self) -> set[str]:
        """Chain ids that the cache refers to: kept from the sweep until `clear`."""
        return {row.chain_id for row in self._rows if row.chain_id}

    async def clear(self) -> None:
        for key, _ in self._rows.items():
            await self._rows.delete(key, durable=False)
