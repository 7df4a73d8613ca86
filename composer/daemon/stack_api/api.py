"""The room as the daemon sees it: made over an engine, started, asked for its routes, closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from composer.daemon.gitops_api import GitopsApi
from composer.daemon.logs import DaemonLog
from composer.daemon.router import Route
from composer.daemon.stack_api.healing import Healing
from composer.daemon.stack_api.jobs.jobs import Jobs
from composer.daemon.stack_api.jobs.runs import JobRuns
from composer.daemon.stack_api.routes import routes
from composer.daemon.stack_api.stacks import Place, Stacks
from composer.daemon.stack_api.told import Told
from composer.engine.interface import Engine
from composer.engine.local.files import write_atomic
from composer.engine.local.layout import Layout
from composer.engine.local.linux.process import boot_id
from composer.engine.local.state import State
from composer.reconcile import labels
from composer.reconcile.controller import Controller

VERSION = "0.1.0"


def holds(layout: Layout) -> Callable[[Mapping[str, str], bool], bool]:
    """For the engine's settings: which containers of stacks are left to the controller when the engine starts. After the machine's start
    all, because it knows their order; else those that were stopped by request, because it knows whether the stack meant that."""
    directory = _directory(layout)
    same_boot = _last_boot(directory) == boot_id()

    def hold(tags: Mapping[str, str], requested: bool) -> bool:
        project = tags.get(labels.PROJECT, "")
        if (same_boot and not requested) or not project or "/" in project or tags.get(labels.ONEOFF) == "True":
            return False
        return (directory / project / "request.json").exists()

    return hold


def _directory(layout: Layout) -> Path:
    return layout.root / "stacks"


def _last_boot(directory: Path) -> str:
    try:
        return (directory / ".boot").read_text()
    except OSError:
        return ""


class StackApi:
    """``start`` once, then `routes`; ``close`` at the end: containers go on."""

    def __init__(
        self, engine: Engine, state: State, layout: Layout, *, version: str = VERSION, resync: float = 60.0, socket: str = ""
    ) -> None:
        log = DaemonLog()
        place = Place(_directory(layout), version, boot_id(), socket)
        self.stacks = Stacks(engine, state, place, log)
        healing = Healing(self.stacks)
        spared: list[Callable[[], Iterable[str]]] | None = getattr(engine.images, "spared", None)
        if spared is not None:
            spared.append(self.stacks.revisions.images)
        mend = getattr(engine, "mend", None)
        told = Told(self.stacks, healing)
        self.controller = Controller(engine, healing.names, healing.heal, log, mend=mend, told=told, resync=resync)
        self.jobs = self.stacks.jobs = Jobs(self.stacks, JobRuns(state, place.directory))
        self.gitops = GitopsApi(self.stacks, state, layout)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look after the stacks."""
        write_atomic(self.stacks.place.directory / ".boot", self.stacks.place.boot.encode())
        self.stacks.changed = self._changed
        self.stacks.later, self.stacks.look_now = self.controller.look_later, self.controller.look_now
        await self.gitops.start()
        self._task = asyncio.create_task(self.controller.run())
        self.jobs.start()

    def _changed(self, name: str, failed: frozenset[str]) -> None:
        self.controller.after_command(name, failed)
        self.jobs.look()

    def routes(self) -> list[Route]:
        return [*routes(self.stacks), *self.gitops.routes()]

    async def close(self) -> None:
        """End the controller and what is at work."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.gitops.close()
        await self.jobs.close()
        await self.stacks.close()
