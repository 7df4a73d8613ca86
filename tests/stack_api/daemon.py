"""A daemon's stacks over the memory engine, and calls to them as a client makes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from composer.daemon.stack_api import VERBS, Place, Stacks
from composer.daemon.stack_api.healing import Healing
from composer.engine.local.state import State
from composer.engine.memory import MemoryEngine
from composer.reconcile.controller import Controller

Line = dict[str, Any]


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append(f"{event} {fields}")

    def error(self, event: str, /, **fields: object) -> None:
        self.lines.append(f"ERROR {event} {fields}")
        problem = fields.get("exc_info")
        if isinstance(problem, BaseException):
            raise problem


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Until it is so, five seconds at most."""
    end = asyncio.get_running_loop().time() + 5
    while not await check():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError("it never became so")
        await asyncio.sleep(0.003)


class Client:
    """Calls verbs; ``text`` is the stack file."""

    def __init__(self, stacks: Stacks, engine: MemoryEngine, text: str = "") -> None:
        self.stacks, self.engine, self.text = stacks, engine, text
        self.lines: list[Line] = []

    def body(self, options: Line, **project: Any) -> Line:
        contents: Line = {"/d/.env": {"missing": True}}
        files = []
        if self.text:
            contents["/d/stack.yml"] = {"text": self.text}
            files = ["/d/stack.yml"]
        found = {"files": files, "name": "p", "cwd": "/d", "environment": {}, "contents": contents}
        return {"project": {**found, **project}, "options": options}

    async def call(self, verb: str, **options: Any) -> Line:
        """The result line; all lines are in ``lines``."""
        return await self.raw(verb, self.body(options))

    async def raw(self, verb: str, body: Line) -> Line:
        for _ in range(5):
            self.lines = [line async for line in self.stacks.answer(VERBS[verb], body)]
            last = self.lines[-1]
            if last["kind"] != "need":
                return last
            body["project"]["contents"].update({path: {"missing": True} for path in last["paths"]})
        raise AssertionError(last)

    async def ok(self, verb: str, **options: Any) -> Line:
        result = await self.call(verb, **options)
        assert result["exit"] == 0, self.lines
        return result

    def said(self) -> list[str]:
        return [f"{line['id']} {line['status']}" for line in self.lines if line["kind"] == "progress"]

    def findings(self) -> list[str]:
        """The first line of each diagnostic."""
        return [line["text"].splitlines()[0] for line in self.lines if line["kind"] == "diagnostic"]

    async def states(self, project: str = "p") -> dict[str, str]:
        found = await self.engine.containers.list(all=True, filters={"label": [f"com.docker.compose.project={project}"]})
        return {c.name.removeprefix("/").removeprefix(f"{project}-"): c.state.status for c in found}

    async def becomes(self, states: dict[str, str]) -> None:
        end = asyncio.get_running_loop().time() + 5
        while await self.states() != states:
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(await self.states())
            await asyncio.sleep(0.002)

    async def ids(self) -> dict[str, str]:
        found = await self.engine.containers.list(all=True)
        return {c.name.removeprefix("/p-"): c.id for c in found}


@asynccontextmanager
async def daemon(
    directory: Path, text: str, *, engine: MemoryEngine | None = None, controlled: bool = False, boot: str = "1"
) -> AsyncIterator[Client]:
    """Stacks over the memory engine; ``controlled``: with the controller at work. An engine that is passed in is left open."""
    own = engine is None
    engine = engine or MemoryEngine()
    state = State(directory / "state.db")
    log = Log()
    stacks = Stacks(engine, state, Place(directory / "stacks", "test", boot), log)
    healing = Healing(stacks)
    controller = Controller(engine, healing.names, healing.heal, log, resync=600)
    task = None
    if controlled:
        stacks.changed = controller.after_command
        task = asyncio.create_task(controller.run())
        await asyncio.sleep(0.01)
    try:
        yield Client(stacks, engine, text)
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await stacks.close()
        if own:
            await engine.close()
        await state.close()
