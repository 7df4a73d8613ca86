"""One work at a time on each stack. A command makes the controller's healing give way; commands wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    holder: str = ""
    give_way: Callable[[], None] | None = None
    waiting: int = 0


class Turns:
    """Locks by the stack's name; one that nobody holds or waits for is forgotten."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    def busy(self, name: str) -> bool:
        """Whether someone works on the stack."""
        turn = self._turns.get(name)
        return turn is not None and turn.lock.locked()

    @asynccontextmanager
    async def take(
        self, name: str, who: str, *, blocked: Callable[[str], None] | None = None, give_way: Callable[[], None] | None = None
    ) -> AsyncIterator[None]:
        """Hold the stack. ``blocked`` is told who works on it when one has to wait; ``give_way`` is called when a command waits for us."""
        turn = self._turns.setdefault(name, _Turn())
        turn.waiting += 1
        try:
            if turn.lock.locked():
                if turn.give_way is not None:
                    turn.give_way()
                elif blocked is not None:
                    blocked(turn.holder)
            async with turn.lock:
                turn.holder, turn.give_way = who, give_way
                try:
                    yield
                finally:
                    turn.holder, turn.give_way = "", None
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[name]
