"""Scheduled services: a run when its time has come, what overlaps, what was missed, a daemon that was killed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from composer.daemon.stack_api.jobs.jobs import Jobs
from composer.daemon.stack_api.jobs.runs import JobRuns
from composer.engine.memory import MemoryEngine
from tests.stack_api.daemon import Client, daemon, eventually

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0 - 1_800_000_000.0 % HOUR + 1800  # half past

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def jobs(path: Path, words: str, *, engine: MemoryEngine, clock: Clock) -> AsyncIterator[tuple[Client, Jobs]]:
    text = f'services:\n  web: {{image: busybox}}\n  job: {{image: busybox, x-schedule: {{cron: "0 * * * *", keep: 4{words}}}}}\n'
    async with daemon(path, text, engine=engine) as client:
        found = Jobs(client.stacks, JobRuns(client.stacks.journal.state, client.stacks.place.directory), clock=clock)
        client.stacks.jobs = found
        for run in found.runs.running():
            found._begin(run, 0.0)
        yield client, found
        await found.close()


def history(found: Jobs) -> list[tuple[int, str, str]]:
    return [(run.number, run.by, run.state) for run in found.runs.of("p", "job")]


async def runs(client: Client, number: int) -> None:
    await eventually(lambda: _is(client, f"job-job-{number}", "running"))


async def _is(client: Client, name: str, state: str) -> bool:
    return (await client.states()).get(name) == state


async def settled(found: Jobs) -> None:
    async def idle() -> bool:
        return not found._working

    await eventually(idle)


async def hour(found: Jobs, clock: Clock, hours: int = 1) -> None:
    clock.now += hours * HOUR - clock.now % HOUR + 1
    await found.tick()


def test_a_run_and_its_history(tmp_path: Path) -> None:
    async def run() -> None:
        engine, clock = MemoryEngine(), Clock()
        async with jobs(tmp_path, "", engine=engine, clock=clock) as (client, found):
            await client.ok("up")
            assert await client.states() == {"web-1": "running"}  # `up` makes no container of a job
            await found.tick()
            assert history(found) == []
            await hour(found, clock)
            await runs(client, 1)
            engine.output("p-job-job-1", b"did it\n")
            engine.exit("p-job-job-1", 0)
            await settled(found)
            assert await client.states() == {"web-1": "running"}
            assert history(found) == [(1, "schedule", "done")]
            await client.ok("jobs_logs", service="job")
            assert [line["text"] for line in client.lines if line["kind"] == "output"] == ["did it\n"]
            for number in range(2, 7):
                await hour(found, clock)
                await runs(client, number)
                engine.exit(f"p-job-job-{number}", 3)
                await settled(found)
            assert [number for number, _, _ in history(found)] == [3, 4, 5, 6]
            (row,) = (await client.ok("jobs"))["jobs"]
            assert (row["Last"]["State"], row["Last"]["ExitCode"], row["Last"]["Detail"]) == ("failed", 3, "exit 3")
            await client.ok("stop", services=["job"])
            await hour(found, clock)
            assert [number for number, _, _ in history(found)] == [3, 4, 5, 6]
            await client.ok("down")
            await found.tick()
            assert history(found) == []
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("overlap", "after"),
    [
        ("forbid", [(1, "schedule", "running"), (2, "schedule", "skipped"), (3, "schedule", "skipped")]),
        ("queue", [(1, "schedule", "running"), (2, "schedule", "running"), (3, "schedule", "skipped")]),
        ("replace", [(1, "schedule", "ended"), (2, "schedule", "ended"), (3, "schedule", "running")]),
    ],
)
def test_overlap(tmp_path: Path, overlap: str, after: list[tuple[int, str, str]]) -> None:
    async def run() -> None:
        engine, clock = MemoryEngine(), Clock()
        async with jobs(tmp_path, f", overlap: {overlap}", engine=engine, clock=clock) as (client, found):
            await client.ok("up")
            await found.tick()
            for number in (1, 2, 3):
                await hour(found, clock)
                if overlap == "replace" or number == 1:
                    await runs(client, number)
            assert history(found) == after
            if overlap == "queue":
                engine.exit("p-job-job-1")
                await runs(client, 2)
                engine.exit("p-job-job-2")
                await settled(found)
                assert history(found)[:2] == [(1, "schedule", "done"), (2, "schedule", "done")]
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("catch_up", "after"),
    [("none", [(1, "schedule", "missed")]), ("once", [(1, "catch-up", "done")]), ("all", [(n, "catch-up", "done") for n in (1, 2, 3)])],
)
def test_what_was_missed_while_the_daemon_was_down(tmp_path: Path, catch_up: str, after: list[tuple[int, str, str]]) -> None:
    async def run() -> None:
        engine, clock = MemoryEngine(), Clock()
        async with jobs(tmp_path, f", catch_up: {catch_up}", engine=engine, clock=clock) as (client, found):
            await client.ok("up")
            await found.tick()
        clock.now += 3 * HOUR
        async with jobs(tmp_path, f", catch_up: {catch_up}", engine=engine, clock=clock) as (client, found):
            await found.tick()
            for number, by, _ in after:
                if by == "catch-up":
                    await runs(client, number)
                    engine.exit(f"p-job-job-{number}")
            await settled(found)
            assert history(found) == after
            await found.tick()
            assert history(found) == after
        await engine.close()

    asyncio.run(run())


def test_a_run_goes_on_without_the_daemon(tmp_path: Path) -> None:
    async def run() -> None:
        engine, clock = MemoryEngine(), Clock()
        async with jobs(tmp_path, "", engine=engine, clock=clock) as (client, found):
            await client.ok("up")
            await found.tick()
            await hour(found, clock)
            await runs(client, 1)
        async with jobs(tmp_path, "", engine=engine, clock=clock) as (client, found):
            assert history(found) == [(1, "schedule", "running")]
            engine.exit("p-job-job-1", 9)
            await settled(found)
            assert history(found) == [(1, "schedule", "failed")]
            refused = await client.call("jobs_run", service="web")
            assert refused["message"] == 'service "web" of stack p has no x-schedule, or the stack was never brought up'
        await engine.close()

    asyncio.run(run())
