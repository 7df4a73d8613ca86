"""What the daemon remembers of scheduled services: up to which moment each was dealt with, and its latest runs with their output.

Rows are in the state's database; the output of a run that has ended is in ``stacks/<stack>/jobs/<service>/<number>.log``.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.engine.local.files import write_atomic
from composer.engine.local.state import State, Table

RUNNING, DONE, FAILED, SKIPPED, MISSED, ENDED = "running", "done", "failed", "skipped", "missed", "ended"
OUTPUT = 1 << 20  # bytes kept of a run's output, the last ones


@dataclass(frozen=True, slots=True)
class JobRow:
    """``until``: all moments up to this one were dealt with. ``runs``: the number of the last run."""

    stack: str
    service: str
    until: float
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """``by``: schedule, catch-up, hand. ``due``: when it should have begun. Times are seconds since 1970, 0 unknown."""

    stack: str
    service: str
    number: int
    by: str
    due: float
    began: float = 0.0
    ended: float = 0.0
    state: str = RUNNING
    exit_code: int = 0
    container: str = ""  # its id, "" until it is made
    detail: str = ""

    @property
    def key(self) -> str:
        return f"{self.stack}/{self.service}/{self.number:08d}"

    @property
    def name(self) -> str:
        """The container's name."""
        return f"{self.stack}-{self.service}-job-{self.number}"


class JobRuns:
    """One for the daemon. ``directory``: stacks/ beneath its root."""

    def __init__(self, state: State, directory: Path) -> None:
        self._rows: Table[JobRow] = Table(state, "job", encode=_encode, decode=_row)
        self._runs: Table[Run] = Table(state, "jobrun", encode=_encode, decode=_run)
        self._directory = directory

    def row(self, stack: str, service: str) -> JobRow | None:
        return self._rows.get(f"{stack}/{service}")

    async def keep_row(self, row: JobRow) -> None:
        """On disk when this returns."""
        await self._rows.put(f"{row.stack}/{row.service}", row)

    def of(self, stack: str, service: str) -> list[Run]:
        """The runs of a service, the oldest first."""
        return sorted((run for run in self._runs if run.stack == stack and run.service == service), key=lambda run: run.number)

    def running(self) -> list[Run]:
        """Those that had not ended when last heard of."""
        return [run for run in self._runs if run.state == RUNNING]

    async def keep(self, run: Run) -> None:
        await self._runs.put(run.key, run)

    async def begin(self, run: Run) -> Run:
        """Give it the next number, and write it down."""
        row = self.row(run.stack, run.service) or JobRow(run.stack, run.service, run.due)
        await self.keep_row(dataclasses.replace(row, runs=row.runs + 1))
        run = dataclasses.replace(run, number=row.runs + 1)
        await self.keep(run)
        return run

    async def prune(self, stack: str, service: str, most: int) -> None:
        """Forget all but the newest ``most`` that have ended, with their output."""
        ended = [run for run in self.of(stack, service) if run.state != RUNNING]
        for run in ended[: max(0, len(ended) - most)]:
            await self._runs.delete(run.key, durable=False)
            await asyncio.to_thread(self._log(run).unlink, True)

    def stacks(self) -> set[str]:
        """Those of which something is known."""
        return {row.stack for row in self._rows}

    async def forget(self, stack: str) -> None:
        """The stack is gone; its files go with its directory."""
        for key, row in self._rows.items():
            if row.stack == stack:
                await self._rows.delete(key, durable=False)
        for run in [run for run in self._runs if run.stack == stack]:
            await self._runs.delete(run.key, durable=False)

    def _log(self, run: Run) -> Path:
        return self._directory / run.stack / "jobs" / run.service / f"{run.number}.log"

    async def keep_output(self, run: Run, data: bytes) -> None:
        """Raises OSError."""
        await asyncio.to_thread(self._write, run, data[-OUTPUT:])

    def _write(self, run: Run, data: bytes) -> None:
        path = self._log(run)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, data, mode=0o600)

    async def output(self, run: Run) -> bytes | None:
        """None: it was not kept."""
        try:
            return await asyncio.to_thread(self._log(run).read_bytes)
        except FileNotFoundError:
            return None


def _encode(row: Any) -> dict[str, Any]:
    return dataclasses.asdict(row)


def _row(doc: Mapping[str, Any]) -> JobRow:
    return JobRow(**doc)


def _run(doc: Mapping[str, Any]) -> Run:
    return Run(**doc)
