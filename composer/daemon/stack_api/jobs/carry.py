"""One run of a scheduled service: its one-off container made, started, waited for, its output kept, removed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from composer.daemon.stack_api import run as one_off_run
from composer.daemon.stack_api.call import Call, Line
from composer.daemon.stack_api.jobs.runs import DONE, ENDED, FAILED, OUTPUT, JobRuns, Run
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.errors import EngineError, NotFound
from composer.engine.model import Container, LogOptions
from composer.errors import ComposerError
from composer.reconcile.ailment import ending
from composer.reconcile.observe import container_live

LABEL = "composer.job"  # the number of the run


async def carry_out(stacks: Stacks, runs: JobRuns, run: Run, *, timeout: float, clock: Callable[[], float]) -> Run:
    """Make and start its container, unless an earlier daemon has, and wait for its end. ``timeout``: seconds, 0 none."""
    containers = stacks.engine.containers
    found = await _container(stacks, run)
    if found is None and run.began:
        return replace(run, state=FAILED, ended=clock(), detail="its container was removed while the daemon did not run")
    if found is None:
        made = await _make(stacks, run)
        run = replace(run, container=made, began=clock())
    else:
        run = replace(run, container=found.id, began=run.began or clock())
    await runs.keep(run)
    if found is None or found.state.status == "created":
        try:
            await containers.start(run.container)
        except EngineError as error:
            await _remove(stacks, run)
            return replace(run, state=FAILED, ended=clock(), exit_code=127, detail=error.message)
    try:
        async with asyncio.timeout(max(0.0, run.began + timeout - clock()) if timeout else None):
            await containers.wait(run.container)
    except TimeoutError:
        return await end(stacks, runs, run, why=f"it took longer than {timeout:g} s", clock=clock, state=FAILED)
    except NotFound:
        return replace(run, state=FAILED, ended=clock(), detail="its container was removed while it ran")
    return await _collect(stacks, runs, run, clock)


async def end(stacks: Stacks, runs: JobRuns, run: Run, *, why: str, clock: Callable[[], float], state: str = ENDED) -> Run:
    """Stop what is under way of it; its output is kept."""
    found = await _container(stacks, run)
    if found is None:
        return replace(run, state=state, ended=clock(), detail=why)
    run = replace(run, container=found.id)
    with contextlib.suppress(EngineError):
        await stacks.engine.containers.stop(found.id)
    done = await _collect(stacks, runs, run, clock)
    return replace(done, state=state, detail=why)


async def _container(stacks: Stacks, run: Run) -> Container | None:
    """By its id, or its name when the daemon ended between making it and writing that down."""
    try:
        found = await stacks.engine.containers.inspect(run.container or run.name)
    except NotFound:
        return None
    return found if found.config.labels.get(LABEL) == str(run.number) else None


async def _make(stacks: Stacks, run: Run) -> str:
    stored = stacks.store.request(run.stack)
    if stored is None:
        raise ComposerError(f"the files of stack {run.stack} are not stored", hint="run `up` with its file again")
    options = {"service": run.service, "no_deps": True, "name": run.name, "labels": [f"{LABEL}={run.number}"], "use_aliases": False}
    made: Line = await one_off_run.run(stacks, Call({"project": stored, "options": options}, _unheard))
    return str(made["id"])


async def _collect(stacks: Stacks, runs: JobRuns, run: Run, clock: Callable[[], float]) -> Run:
    """Its exit code and its output; then the container goes."""
    found = await stacks.engine.containers.inspect(run.container)
    live = container_live(found)
    done = replace(run, state=FAILED if live.exit_code or live.oom else DONE, ended=clock(), exit_code=live.exit_code)
    if done.state == FAILED:
        done = replace(done, detail=ending(live))
    try:
        await runs.keep_output(done, await output(stacks, run.container))
    except (OSError, EngineError) as error:
        done = replace(done, detail=f"{done.detail}; its output could not be kept: {error}".removeprefix("; "))
    await _remove(stacks, run)
    return done


async def output(stacks: Stacks, container: str) -> bytes:
    """What it has written, the last `OUTPUT` bytes."""
    kept = bytearray()
    async for frame in stacks.engine.containers.logs(container, LogOptions()):
        kept += frame.data
        if len(kept) > 2 * OUTPUT:
            del kept[:-OUTPUT]
    return bytes(kept[-OUTPUT:])


async def _remove(stacks: Stacks, run: Run) -> None:
    with contextlib.suppress(NotFound):
        await stacks.engine.containers.remove(run.container, force=True, volumes=True)


def _unheard(_line: Line) -> None:
    return
