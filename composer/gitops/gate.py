"""When a stack counts as healthy: every container runs and, where it has a check, the check passed; what ended, ended well.

A container without a check has to stay up for a moment. One that ends badly, is unhealthy, or is started again and again, fails the gate
at once; everything else has until the timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from composer.gitops.ground import Replica, Stacks

SETTLE = 1.0  # seconds that a container without a check must have run
_LOOK = 0.1
_STARTS = 3  # so many starts within the gate are a crash loop


class Gate:
    """One waiting for one stack."""

    def __init__(self, stacks: Stacks, stack: str) -> None:
        self._stacks = stacks
        self._stack = stack
        self._first: dict[str, float] = {}
        self._starts: dict[str, set[str]] = {}

    async def passed(self, seconds: float, cut: asyncio.Event) -> str:
        """ "" when the stack is healthy; else why it is not. "cut" when ``cut`` was set first."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            found = await self._stacks.replicas(self._stack)
            fatal, waiting = self.verdict(found, loop.time())
            if fatal:
                return fatal
            if not waiting:
                return ""
            if loop.time() >= end:
                return f"{waiting} after {seconds:g} s"
            try:
                async with asyncio.timeout(_LOOK):
                    await cut.wait()
                return "cut"
            except TimeoutError:
                continue

    def verdict(self, replicas: Sequence[Replica], now: float) -> tuple[str, str]:
        """Why it can never pass ("" = it can), and what is still waited for ("" = nothing)."""
        waiting = ""
        for one in replicas:
            fatal, wait = self._look(one, now)
            if fatal:
                return fatal, ""
            waiting = waiting or wait
        return "", waiting

    def _look(self, one: Replica, now: float) -> tuple[str, str]:
        starts = self._starts.setdefault(one.name, set())
        starts.add(one.started)
        if len(starts) > _STARTS:
            return f"{one.name} is started again and again", ""
        if one.health == "unhealthy":
            return f"{one.name} is unhealthy", ""
        if one.state in ("exited", "dead"):
            self._first.pop(one.name, None)
            return (f"{one.name} ended with exit code {one.exit_code}", "") if one.exit_code else ("", "")
        if one.state != "running":
            self._first.pop(one.name, None)
            return "", f"{one.name} is {one.state}"
        if one.health:
            return "", "" if one.health == "healthy" else f"{one.name} is not healthy yet"
        since = self._first.setdefault(one.name, now)
        if len(starts) > 1:
            return "", "" if now - since >= SETTLE * 3 else f"{one.name} was started again"
        return "", "" if now - since >= SETTLE else f"{one.name} has just started"


async def healthy(stacks: Stacks, stack: str) -> bool:
    """Whether the stack is there and every container of it is as it should be, now."""
    found = await stacks.replicas(stack)
    return bool(found) and all(
        (one.state == "running" and one.health in ("", "healthy")) or (one.state == "exited" and not one.exit_code) for one in found
    )
