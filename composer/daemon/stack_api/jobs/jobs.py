"""Scheduled services: the daemon runs each as a one-off container when its time has come.

One sleeper for all of them: it wakes at the next moment that any of them has, when a command has changed something, and once a minute,
because clocks are set and machines are suspended. What was due is written down before it begins, so a daemon that is killed neither repeats
nor forgets it; a run that was under way goes on without the daemon, and is taken up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from composer.daemon.stack_api.jobs.carry import carry_out, end
from composer.daemon.stack_api.jobs.runs import FAILED, MISSED, RUNNING, SKIPPED, JobRow, JobRuns, Run
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.errors import Conflict, NotFound
from composer.errors import ComposerError
from composer.reconcile.timetable import due, next_run
from composer.spec.schedule import Schedule, schedule_of

_LONGEST = 60.0  # seconds of sleep
Key = tuple[str, str]  # stack, service


class Jobs:
    """`start` once the stacks are open, `close` at the end: what runs goes on. ``clock``: seconds since 1970."""

    def __init__(self, stacks: Stacks, runs: JobRuns, *, clock: Callable[[], float] = time.time) -> None:
        self.runs = runs
        self._stacks = stacks
        self._clock = clock
        self._wake = asyncio.Event()
        self._known: dict[str, tuple[str, dict[str, Schedule]]] = {}  # stack -> revision, schedules of its services
        self._working: dict[Key, asyncio.Task[None]] = {}
        self._queue: dict[Key, list[Run]] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        for run in self.runs.running():
            self._begin(run, self._timeout(run))
        self._loop = asyncio.get_running_loop().create_task(self._run())

    def look(self) -> None:
        """Something may have changed."""
        self._wake.set()

    async def close(self) -> None:
        tasks = [task for task in (self._loop, *self._working.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # The clock.

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait = await self.tick()
            except Exception as error:  # the loop must go on for the other stacks
                self._stacks.log.error("the scheduled services cannot be looked at", exc_info=error)
                wait = _LONGEST
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def tick(self) -> float:
        """Begin what is due; seconds until there is something to do again."""
        now, nearest = self._clock(), _LONGEST
        active = await self._schedules()
        for key in [key for key in self._working if key not in active]:
            await self.stop(*key, why="it is not looked after any more")
        for (stack, service), schedule in active.items():
            row = self.runs.row(stack, service)
            if row is None:
                row = JobRow(stack, service, now)
                await self.runs.keep_row(row)
            elif row.until < now:
                await self._due(row, schedule, now)
            coming = next_run(schedule, now)
            if coming is not None:
                nearest = min(nearest, coming - self._clock())
        return max(0.0, nearest)

    async def _schedules(self) -> dict[Key, Schedule]:
        """Of all services that are meant to run by the clock."""
        found: dict[Key, Schedule] = {}
        for row in self._stacks.store:
            schedules = await self._of(row.name, row.revision) if row.active else {}
            found.update({(row.name, service): one for service, one in schedules.items() if service in row.active})
        for stack in self.runs.stacks():
            if not self._stacks.store.known(stack):
                await self.runs.forget(stack)
        self._known = {name: known for name, known in self._known.items() if self._stacks.store.known(name)}
        return found

    async def _of(self, name: str, revision: str) -> dict[str, Schedule]:
        known = self._known.get(name)
        if known is None or known[0] != revision:
            stored = self._stacks.store.request(name)
            try:
                stack = (await self._stacks.loader.load(stored)).stack if stored is not None else None
            except ComposerError as error:
                self._stacks.log.error("the schedules of a stack cannot be read", stack=name, error=error.message)
                return {}
            services = {**stack.services, **stack.disabled_services} if stack is not None else {}
            known = (revision, {n: schedule for n, service in services.items() if (schedule := schedule_of(service)) is not None})
            self._known[name] = known
        return known[1]

    async def _due(self, row: JobRow, schedule: Schedule, now: float) -> None:
        work, missed = due(schedule, row.until, now)
        if not work and not missed:
            return
        await self.runs.keep_row(replace(row, until=now))
        if missed:
            detail = f"{missed} run{'' if missed == 1 else 's'} missed while the daemon did not run; catch_up: {schedule.catch_up}"
            await self.runs.begin(Run(row.stack, row.service, 0, "schedule", now, now, now, MISSED, detail=detail))
        for one in work:
            detail = f"for {one.missed} missed run{'' if one.missed == 1 else 's'}" if one.missed else ""
            run = Run(row.stack, row.service, 0, "catch-up" if one.missed else "schedule", one.moment, detail=detail)
            await self._submit(run, schedule, waits=bool(one.missed))

    # Runs.

    async def run_by_hand(self, stack: str, service: str) -> Run:
        """Begin one now. NotFound: it is no job; Conflict: another run of it is under way, and it says `overlap: forbid`."""
        row = self._stacks.store.row(stack)
        schedule = (await self._of(stack, row.revision)).get(service)
        if schedule is None:
            raise NotFound(
                f'service "{service}" of stack {stack} has no x-schedule, or the stack was never brought up', hint="composer up -d"
            )
        run = await self._submit(Run(stack, service, 0, "hand", self._clock()), schedule)
        if run.state == SKIPPED:
            raise Conflict(run.detail, hint=f"wait for its end: composer jobs history {service}")
        return run

    async def _submit(self, run: Run, schedule: Schedule, *, waits: bool = False) -> Run:
        """Begin it, or what `overlap` says when another runs. ``waits``: it waits for its turn whatever it says (runs to make up for)."""
        key = (run.stack, run.service)
        if key in self._working:
            queue = self._queue.setdefault(key, [])
            if not waits and (schedule.overlap == "forbid" or (schedule.overlap == "queue" and queue)):
                words = "another run of it is under way" if schedule.overlap == "forbid" else "one run waits already"
                run = replace(run, state=SKIPPED, ended=self._clock(), detail=words)
            elif waits or schedule.overlap == "queue":
                run = await self.runs.begin(replace(run, state=RUNNING))
                queue.append(run)
                return run
            else:
                await self.stop(*key, why="replaced by the next run")
        run = await self.runs.begin(run)
        if run.state == RUNNING:
            self._begin(run, schedule.timeout)
        else:
            await self.runs.prune(run.stack, run.service, schedule.keep)
        return run

    def _timeout(self, run: Run) -> float:
        known = self._known.get(run.stack)
        return known[1][run.service].timeout if known is not None and run.service in known[1] else 0.0

    def _begin(self, run: Run, timeout: float) -> None:
        key = (run.stack, run.service)
        if key in self._working:
            self._queue.setdefault(key, []).append(run)
            return
        task = asyncio.get_running_loop().create_task(self._work(key, run, timeout))
        self._working[key] = task

    async def _work(self, key: Key, run: Run, timeout: float) -> None:
        """This run, then those that wait for it."""
        try:
            while True:
                await self._one(run, timeout)
                waiting = self._queue.get(key)
                if not waiting:
                    return
                run = waiting.pop(0)
        finally:
            if self._working.get(key) is asyncio.current_task():
                del self._working[key]

    async def _one(self, run: Run, timeout: float) -> None:
        try:
            ended = await carry_out(self._stacks, self.runs, run, timeout=timeout, clock=self._clock)
        except ComposerError as error:
            ended = replace(run, state=FAILED, ended=self._clock(), detail=error.message)
        except Exception as error:  # told in its history, and the loop goes on
            self._stacks.log.error("a scheduled run failed", stack=run.stack, service=run.service, exc_info=error)
            ended = replace(run, state=FAILED, ended=self._clock(), detail=f"internal error ({type(error).__name__})")
        await self.runs.keep(ended)
        self._stacks.log.info(
            "job",
            stack=run.stack,
            service=run.service,
            run=run.number,
            by=run.by,
            outcome=ended.state,
            exit_code=ended.exit_code,
            duration=round(ended.ended - ended.began, 3) if ended.began else 0,
            detail=ended.detail,
        )
        schedule = self._known.get(run.stack, ("", {}))[1].get(run.service)
        await self.runs.prune(run.stack, run.service, schedule.keep if schedule is not None else 10)

    async def stop(self, stack: str, service: str, *, why: str) -> None:
        """End the run that is under way, and drop those that wait."""
        key = (stack, service)
        for waiting in self._queue.pop(key, []):
            await self.runs.keep(replace(waiting, state=SKIPPED, ended=self._clock(), detail=why))
        task = self._working.pop(key, None)
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for run in self.runs.of(stack, service):
            if run.state == RUNNING:
                await self.runs.keep(await end(self._stacks, self.runs, run, why=why, clock=self._clock))

    async def stop_all(self, stack: str, services: Iterable[str] | None = None) -> None:
        """The stack, or these services of it, go away."""
        wanted = None if services is None else set(services)
        for key in [key for key in self._working if key[0] == stack and (wanted is None or key[1] in wanted)]:
            await self.stop(*key, why="the stack goes down")

    async def next_of(self, stack: str, service: str) -> tuple[Schedule | None, float | None]:
        """Its schedule and its next moment."""
        row = self._stacks.store.row(stack)
        schedule = (await self._of(stack, row.revision)).get(service)
        active = schedule is not None and service in row.active
        return schedule, next_run(schedule, self._clock()) if active and schedule is not None else None

    async def services(self, stack: str) -> dict[str, Schedule]:
        """All jobs of a stack."""
        return await self._of(stack, self._stacks.store.row(stack).revision)

    async def ended(self, run: Run) -> Run:
        """Wait for its end; as it is then."""
        while True:
            found = next((one for one in self.runs.of(run.stack, run.service) if one.number == run.number), None)
            if found is None or found.state != RUNNING:
                return found or run
            task = self._working.get((run.stack, run.service))
            if task is None:
                return found
            await asyncio.wait({task}, timeout=0.2 if self._queue.get((run.stack, run.service)) else 1.0)
