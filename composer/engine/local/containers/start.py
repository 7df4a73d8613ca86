"""Starting a container: a ladder whose every step pushes its undo; the last line is pop_all.

lock -> snapshot and network sandbox (at once) -> volumes -> hosts, resolv.conf, config.json -> conmon + runtime -> row -> Event.
The row that says that it exists was written at create. Nothing here is fsynced: what the kernel holds is gone after a crash of the
machine, and after a crash of the daemon `recover` finds it by names that derive from the id.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from composer.engine.errors import CommandNotExecutable, CommandNotFound, Conflict, EngineError
from composer.engine.local.archive import finish
from composer.engine.local.containers import attach, ending, facts, mounting, networking
from composer.engine.local.containers.create import make_directory
from composer.engine.local.containers.parts import Parts, now
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Attempts, HealthState, Phase, has_check
from composer.errors import ComposerError


async def start(parts: Parts, held: Held, *, attempts: Attempts | None = None) -> None:
    """Start it, unless it runs. ``attempts``: this is a restart by policy. The caller holds no lock.

    CommandNotFound, CommandNotExecutable (it then is as before, with exit code 127 or 126), Conflict, NotFound, EngineError.
    """
    async with held.lock:
        await start_locked(parts, held, attempts=attempts)


async def start_locked(parts: Parts, held: Held, *, attempts: Attempts | None = None) -> None:
    before = held.run
    if before.phase is Phase.PAUSED:
        raise Conflict("cannot start a paused container, try unpause instead")
    if before.phase is Phase.RUNNING:
        return
    if held.gone or not before.phase.startable:
        raise Conflict("container is marked for removal and cannot be started")
    cgroup = parts.cgroup(held.record)
    parts.registry.mark(held, before.replace(phase=Phase.STARTING, error="", requested=False, boot=parts.boot, cgroup=cgroup))
    held.released = False
    try:
        await _climb(parts, held, attempts)
    except OSError as error:
        problem = EngineError(f"cannot start container {held.name}: {error.strerror or error}: {error.filename or ''}".rstrip(": "))
        await asyncio.shield(_failed(parts, held, problem))
        raise problem from error
    except BaseException as error:
        await asyncio.shield(_failed(parts, held, error))
        raise
    parts.publish(held, "start")
    parts.watch(held)


async def _failed(parts: Parts, held: Held, error: BaseException) -> None:
    """Back to where it was, with the reason told. Never started: it stays `created`, as in Docker."""
    code = 127 if isinstance(error, CommandNotFound) else 126 if isinstance(error, CommandNotExecutable) else 128
    never = held.run.started_at.startswith("0001")
    words = error.message if isinstance(error, ComposerError) else f"the start was interrupted ({type(error).__name__})"
    run = held.run.replace(phase=Phase.CREATED if never else Phase.EXITED, exit_code=code, error=words, handle=None, networks={}, ports={})
    await parts.registry.run(held, run, durable=False)
    held.released = True
    attach.end_waiting(held)


async def _climb(parts: Parts, held: Held, attempts: Attempts | None) -> None:
    record = held.record
    bundle = parts.bundle(held)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(ending.release, parts, held)
        mounted, network = await asyncio.gather(
            _mount(parts, held, bundle.rootfs), networking.enter(parts, held), return_exceptions=True
        )  # both have ended before anything is undone
        if isinstance(mounted, BaseException):
            raise mounted
        if isinstance(network, BaseException):
            raise network
        points = await mounting.mount(parts, held, bundle.rootfs)
        config = await facts.config(parts, held, bundle, network, points)
        handle = await parts.runtime.create(bundle, config)
        await attach.connect_waiting(parts, held, bundle, handle)
        run = held.run.replace(
            phase=Phase.RUNNING,
            handle=handle,
            started_at=now(),
            exit_code=0,
            oom_killed=False,
            attempts=attempts or Attempts(),
            restarts=held.run.restarts + 1 if attempts else 0,
            networks=network.networks,
            ports=network.ports,
            health=HealthState() if has_check(record.config.healthcheck) else None,
            health_log=(),
        )
        held.finished = asyncio.Event()
        await parts.runtime.start(bundle, handle)
        await parts.registry.run(held, run, durable=False)
        undo.pop_all()


async def _mount(parts: Parts, held: Held, rootfs: Path) -> None:
    directory = parts.layout.container(held.id)
    lowers = parts.layers.paths(parts.images.resolve(held.record.image))

    def work() -> None:
        make_directory(directory)
        parts.snapshots.mount_here(held.name, lowers, rootfs, upper=directory / "upper", work=directory / "work")

    await finish(work)
