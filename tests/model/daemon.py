"""A daemon's stacks with its real controller, healing, store and journal over the memory engine, in lives that can be abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from composer.daemon.stack_api import VERBS, Place, Stacks
from composer.daemon.stack_api.healing import Healing
from composer.daemon.stack_api.told import Told
from composer.engine.local.state import State
from composer.engine.memory import MemoryEngine
from composer.errors import ComposerError
from composer.reconcile.ailment import UNHEALTHY
from composer.reconcile.controller import Controller
from composer.reconcile.images import local_images
from composer.reconcile.model import Policy
from composer.reconcile.observe import observe
from composer.reconcile.plan import plan
from composer.spec.care import care_of
from tests.model.lives import Life, VirtualLoop

Line = dict[str, Any]


class Log:
    """Whatever the daemon takes for its own mistake fails the test."""

    def __init__(self) -> None:
        self.mistakes: list[BaseException] = []

    def info(self, event: str, /, **fields: object) -> None:
        return

    def error(self, event: str, /, **fields: object) -> None:
        problem = fields.get("exc_info")
        if isinstance(problem, BaseException):
            self.mistakes.append(problem)


def lose_pending(state: State) -> None:
    """What was not committed is lost with the process; the connection itself goes on, since opening one takes 40 ms."""
    state._waiting, state._later, state._flushing = [], [], None


class Daemon:
    """One life of it. ``name``: of the one stack."""

    def __init__(self, loop: VirtualLoop, engine: MemoryEngine, state: State, directory: Path, name: str) -> None:
        self.loop, self.engine, self.name = loop, engine, name
        self.life = Life()
        self.log = Log()
        self.context = self.life.context()
        self.stacks = Stacks(engine, state, Place(directory, "test", "1"), self.log)
        healing = Healing(self.stacks, clock=loop.time)
        controller = Controller(engine, healing.names, healing.heal, self.log, told=Told(self.stacks, healing))
        self.stacks.changed, self.stacks.later = controller.after_command, controller.look_later
        self.begin(controller.run())

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self.loop.create_task(work, context=self.context)

    def call(self, verb: str, text: str, options: Line, steps: int | None) -> None:
        """A client's call; after ``steps`` steps of any of its tasks the daemon is gone."""
        self.life.steps = steps
        self.until(self.begin(self._call(verb, text, options)))
        self.life.steps = None

    async def _call(self, verb: str, text: str, options: Line) -> None:
        contents: Line = {"/d/.env": {"missing": True}, "/d/stack.yml": {"text": text}}
        project = {"files": ["/d/stack.yml"], "name": self.name, "cwd": "/d", "environment": {}, "contents": contents}
        async for _ in self.stacks.answer(VERBS[verb], {"project": project, "options": options}):
            pass

    def until(self, task: asyncio.Task[Any], limit: float = 5000.0) -> None:
        """Run the loop until it ends, or the daemon does."""

        async def wait() -> None:
            over = asyncio.ensure_future(self.life.over.wait())
            done, _ = await asyncio.wait({task, over}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            assert done, "a command does not end"

        self.loop.run_until_complete(wait())
        if task.done() and not task.cancelled():
            task.result()

    async def left(self) -> list[str]:
        """What is not yet as it is meant: actions of a fresh healing plan, and containers that are to be restarted."""
        row = self.stacks.store.row(self.name)
        stored = self.stacks.store.request(self.name)
        if not row.active or stored is None:
            return []
        loaded = await self.stacks.loader.load(stored)
        stack, want = loaded.with_services(sorted(row.active))
        cares = {service: care_of(stack.services[service]) for service in row.active & frozenset(stack.services)}
        services = frozenset(service for service, care in cares.items() if care.drift == "heal")
        await local_images(self.engine, stack, services)
        have = await observe(self.engine, self.name)
        policy = Policy(services=services, no_deps=True, scale=row.scale, healing=True, known=frozenset(stack.disabled_services))
        actions = [str(action) for action in plan(self.name, want, have, policy).actions]
        restarted = {live.service for live in have.values() if str(live.limits.get("restart", "")).startswith("always")}
        ill = [f"{live.ref}: {UNHEALTHY}" for live in have.values() if live.service in services & restarted and live.health == UNHEALTHY]
        return actions + ill

    def settle(self) -> None:
        """Give it time, until all is as it is meant. AssertionError, with what is left, when it never becomes so."""

        async def wait() -> None:
            left: list[str] = []
            for _ in range(40):
                await asyncio.sleep(31)
                try:
                    left = await self.left()
                except ComposerError as error:
                    left = [error.message]
                if not left:
                    return
            raise AssertionError(f"it does not settle: {left}")

        self.loop.run_until_complete(wait())
