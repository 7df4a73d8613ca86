"""Waiting for a container: until it does not run, until its next end, until it is gone."""

from __future__ import annotations

from composer.engine.errors import InvalidArgument
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Phase
from composer.engine.model import WaitResult

CONDITIONS = ("", "not-running", "next-exit", "removed")


async def wait(held: Held, condition: str = "not-running") -> WaitResult:
    """Returns its exit code. The caller bounds the time. InvalidArgument: the condition."""
    if condition not in CONDITIONS:
        raise InvalidArgument(f'invalid condition: "{condition}"')
    seen = held.ended
    while not _reached(held, condition or "not-running", seen):
        await held.changed.wait()
    return WaitResult(status_code=held.run.exit_code)


def _reached(held: Held, condition: str, seen: int) -> bool:
    if held.gone:
        return True
    if condition == "removed":
        return False
    if condition == "next-exit":
        return held.ended > seen
    return not held.run.phase.alive and held.run.phase not in (Phase.STARTING, Phase.RESTARTING)
