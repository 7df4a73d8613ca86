"""What a starting engine does about what an earlier one left: after an orderly end, a `kill -9` at any moment, or a reboot.

Containers that run are known again by their processes (pid, start time, boot). What was begun is undone (a start) or finished (a
removal). What ended meanwhile is recorded with the exit status that conmon kept. What no row owns is removed. Then the policies decide
what is started.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from composer.engine.errors import Unavailable
from composer.engine.local import gc
from composer.engine.local.containers import remove
from composer.engine.local.containers.parts import Parts, now
from composer.engine.local.containers.registry import Held
from composer.engine.local.containers.start import start
from composer.engine.local.layout import Layout
from composer.engine.local.lifecycle import Phase, after_boot
from composer.engine.local.state import State
from composer.engine.local.supervise import Supervisor
from composer.errors import ComposerError

log = logging.getLogger(__name__)
REBOOTED = 255  # the exit code of what the machine's end took with it, as dockerd has it

Hold = Callable[[Mapping[str, str], bool], bool]


def check_state(layout: Layout, state: State) -> None:
    """An empty database is no proof that nothing runs (trap 6): with things of ours on the disk, nothing is touched. Unavailable."""
    if not state.fresh:
        return
    for directory in (layout.root / "containers", layout.layers, layout.volumes, layout.blobs / "sha256"):
        if directory.is_dir() and any(directory.iterdir()):
            raise Unavailable(
                f"the engine's state {layout.database} is missing or empty, but {directory} holds data",
                hint=f"restore the database from a copy; or, to begin afresh and lose them, move {layout.root} away",
            )


def known(parts: Parts) -> set[str]:
    """The ids of the containers whose processes run, or ran until just now with their exit still to be read."""
    return {held.id for held in parts.registry if held.run.phase.alive and held.run.handle is not None and held.run.boot == parts.boot}


async def settle(parts: Parts, live: set[str]) -> list[Held]:
    """Bring every row to a phase that is true. Returns those that ended with the machine, or were waiting to be restarted."""
    await gc.sweep(parts, live)
    dead = [held for held in parts.registry if held.id not in live]
    found = await asyncio.gather(*(_settle(parts, held) for held in dead))  # at once: their rows share a transaction
    return [held for held, down in zip(dead, found, strict=True) if down]


async def _settle(parts: Parts, held: Held) -> bool:
    """Of one that does not run. True: it was up, or was to be."""
    run = held.run
    if run.phase is Phase.REMOVING:
        await remove.finish(parts, held)
    elif run.phase.alive:
        gone: dict[str, Any] = {"handle": None, "networks": {}, "ports": {}, "health": None, "health_log": ()}
        await parts.registry.run(held, run.replace(phase=Phase.EXITED, exit_code=REBOOTED, finished_at=now(), **gone))
        return True
    return run.phase is Phase.RESTARTING


async def resume(parts: Parts, supervisor: Supervisor, live: set[str], down: Sequence[Held], hold: Hold) -> None:
    """Watch what runs, and start what its policy wants running. ``hold(labels, requested)``: left to others (a stack, in its order)."""
    for held in parts.registry:
        if held.id in live:
            held.released = False
            supervisor.watch(held)
    waiting = [held for held in parts.registry if held.id not in live and _wanted(held, down, hold)]
    if waiting:
        parts.tasks.spawn(_start_all(parts, waiting), "automatic starts")
    for held in down:
        if held.record.config.host_config.auto_remove:  # its end could not be followed by its removal
            await remove.remove(parts, held, force=True, volumes=True)


def _wanted(held: Held, down: Sequence[Held], hold: Hold) -> bool:
    run = held.run
    if run.phase is Phase.RESTARTING:
        return True
    policy = held.record.config.host_config.restart_policy
    wanted = after_boot(policy, run.phase, exit_code=run.exit_code, requested=run.requested, was_up=held in down)
    return wanted and not hold(held.record.config.labels, run.requested)


async def _start_all(parts: Parts, waiting: Sequence[Held]) -> None:
    """Those whose namespace others share come first."""
    providers = {_provider(held) for held in waiting}
    first = [held for held in waiting if held.id in providers and not _provider(held)]
    done = {held.id for held in first}
    for group in (first, [held for held in waiting if held.id not in done]):
        await asyncio.gather(*(_start(parts, held) for held in group))


def _provider(held: Held) -> str:
    mode = held.record.network_mode
    return mode.removeprefix("container:") if mode.startswith("container:") else ""


async def _start(parts: Parts, held: Held) -> None:
    attempts = held.run.attempts if held.run.phase is Phase.RESTARTING else None
    try:
        await start(parts, held, attempts=attempts)
    except ComposerError as error:
        log.warning("container %s cannot be started: %s", held.name, error.message)
