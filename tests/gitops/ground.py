"""A daemon's gitops over the memory engine: real stacks, real git, containers that do not exist."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.daemon.gitops_api.stacks import GitopsStacks
from composer.daemon.stack_api.stacks import Place, Stacks
from composer.engine.local.seal import Seal
from composer.engine.local.state import State
from composer.engine.memory import MemoryEngine
from composer.engine.memory.process import MemoryProcess
from composer.gitops.fleet import Fleet
from composer.gitops.ground import Ground


async def program(process: MemoryProcess) -> int:
    """``fail`` ends badly at once, ``done`` well; anything else runs."""
    if "fail" in process.argv:
        return 3
    if "done" in process.argv:
        return 0
    await asyncio.Event().wait()
    return 0


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))

    def error(self, event: str, /, **fields: object) -> None:
        self.lines.append((event, fields))
        problem = fields.get("exc_info")
        if isinstance(problem, BaseException):
            raise problem


@dataclass
class Daemon:
    """What a test holds of it."""

    fleet: Fleet
    stacks: Stacks
    engine: MemoryEngine
    log: Log

    async def running(self) -> dict[str, str]:
        """Service -> its variable V, of all containers that run; a stack's name in front where it is not ``s``."""
        found = {}
        for one in await self.engine.containers.list(all=True):
            labels = one.config.labels
            stack, service = labels["com.docker.compose.project"], labels["com.docker.compose.service"]
            values = dict(item.split("=", 1) for item in one.config.env if "=" in item)
            if one.state.status == "running":
                found[service if stack == "s" else f"{stack}/{service}"] = values.get("V", "")
        return found

    async def ids(self) -> dict[str, str]:
        return {one.name.removeprefix("/"): one.id for one in await self.engine.containers.list(all=True)}

    def status(self, name: str = "s") -> dict[str, Any]:
        return self.fleet.status(name)


@asynccontextmanager
async def daemon(directory: Path, *, engine: MemoryEngine | None = None) -> AsyncIterator[Daemon]:
    """Over ``directory`` (its state stays there). An engine that is passed in is left open."""
    own = engine is None
    engine = engine or MemoryEngine(program=program)
    for name in ("app", "app:2"):
        engine.add_image(name)
    directory.mkdir(parents=True, exist_ok=True)
    state = State(directory / "state.db")
    log = Log()
    stacks = Stacks(engine, state, Place(directory / "stacks", "test", "1"), log)
    ground = Ground(
        GitopsStacks(stacks), directory / "gitops", directory / "run" / "gitops", log, Seal(directory / "seal.key").close, time.time
    )
    ground.run.parent.mkdir(exist_ok=True)
    fleet = Fleet(state, ground)
    await fleet.start()
    fleet.run()
    try:
        yield Daemon(fleet, stacks, engine, log)
    finally:
        await fleet.close()
        await stacks.close()
        if own:
            await engine.close()
        await state.close()
