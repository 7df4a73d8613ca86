"""Waiting until a container is as others need it: woken by events, decided by one look at it; never a poll per container.

Source: Compose Specification, `depends_on`; the words of errors are docker compose's (convergence.go, waitDependencies).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from composer.engine.errors import EngineError, NotFound
from composer.engine.interface import Engine
from composer.engine.model import Container
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.model import COMPLETED, HEALTHY, READY

_LOOK_AGAIN = 5.0  # seconds; an event that was lost costs no more than this
_SETTLED = 0.5  # seconds that a container without a check must have run to count as running: what fails does so at once


class ConditionFailed(ComposerError):
    """A container became what can never meet the condition."""

    code = "dependency-failed"


def judge(container: Container, condition: str, service: str) -> str:
    """ "" : not yet; else the word of progress for the condition that is met. Raises ConditionFailed when it cannot be met any more."""
    name = container.name.removeprefix("/")
    state = container.state
    ended = state.status in ("exited", "dead")
    if condition == COMPLETED:
        return _completed(service, state.exit_code) if ended else ""
    health = state.health.status if state.health is not None else "none"
    prefix = "dependency failed to start: " if condition == HEALTHY else ""
    if ended:
        raise ConditionFailed(f"{prefix}container {name} exited ({state.exit_code})", hint=f"its output: composer logs {service}")
    if health == "unhealthy":
        raise ConditionFailed(f"{prefix}container {name} is unhealthy", hint=f"its last probes: composer container inspect {name}")
    if health == "none":
        if condition == HEALTHY:
            raise ConditionFailed(f"{prefix}container {name} has no healthcheck configured", hint="give the service a `healthcheck`")
        return "Healthy" if condition == READY and state.status == "running" else ""
    return "Healthy" if health == "healthy" else ""


def _completed(service: str, code: int) -> str:
    if code != 0:
        raise ConditionFailed(
            f'service "{service}" didn\'t complete successfully: exit {code}', hint=f"its output: composer logs {service}"
        )
    return "Exited"


def _age(container: Container) -> float:
    """Seconds since it started; a time that cannot be read is long ago."""
    try:
        started = datetime.fromisoformat(container.state.started_at)
    except ValueError:
        return _SETTLED
    return (datetime.now(UTC) - started).total_seconds()


class Watch:
    """Wakes whoever waits for a container when an event speaks of it. `run` is the owner's task; it ends by being cancelled."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._filters = {"type": ["container"], "label": [f"{labels.PROJECT}={project}"]}
        self._wakers: dict[str, asyncio.Event] = {}

    async def run(self) -> None:
        """Follow the engine's events. When they break off, the waits still look again by themselves."""
        try:
            async for event in self._engine.events(self._filters):
                waker = self._wakers.get(event.actor.id)
                if waker is not None:
                    waker.set()
        except EngineError:
            return  # told to those who wait by their own look at the container

    async def until(self, ident: str, condition: str, service: str, *, begun: Callable[[], None]) -> str:
        """Return the word of progress. ``begun`` is called when it has to wait. ConditionFailed, NotFound."""
        waker = self._wakers.setdefault(ident, asyncio.Event())
        first = True
        while True:
            waker.clear()
            try:
                container = await self._engine.containers.inspect(ident)
            except NotFound as error:
                raise ConditionFailed(f'a container of service "{service}" was removed while it was waited for') from error
            word = judge(container, condition, service)
            early = _SETTLED - _age(container) if word and condition == READY and container.state.health is None else 0.0
            if word and early <= 0:
                return word
            if first:
                begun()
                first = False
            try:
                async with asyncio.timeout(early or _LOOK_AGAIN):
                    await waker.wait()
            except TimeoutError:
                continue
