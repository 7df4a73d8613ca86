"""Removing a container: the row, then the files; so that a crash leaves files without a row, which are garbage."""

from __future__ import annotations

import asyncio
import logging

from composer.engine.errors import Conflict, NotFound, NotRunning
from composer.engine.local.containers import attach, ending
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.containers.stop import kill
from composer.engine.local.files import remove_tree
from composer.engine.local.lifecycle import Phase

log = logging.getLogger(__name__)


async def remove(parts: Parts, held: Held, *, force: bool = False, volumes: bool = False) -> None:
    """Conflict: it runs and ``force`` is not given. ``volumes``: its anonymous volumes go too, unless another container uses them."""
    while not await _unless_running(parts, held, volumes):
        if not force:
            raise Conflict(_running(held), hint="stop it first, or remove by force")
        try:
            await kill(parts, held)
        except NotRunning:
            pass  # it ended by itself in this moment
    parts.publish(held, "destroy")


async def _unless_running(parts: Parts, held: Held, volumes: bool) -> bool:
    async with held.lock:
        if held.run.phase.alive or held.run.phase is Phase.RESTARTING:
            return False
        if not held.gone:
            await _remove(parts, held, volumes)
        return True


def _running(held: Held) -> str:
    if held.run.phase is Phase.PAUSED:
        return f'cannot remove container "/{held.name}": container is paused and must be unpaused first'
    if held.run.phase is Phase.RESTARTING:
        return f'cannot remove container "/{held.name}": container is restarting: stop the container before removing or force remove'
    return f'cannot remove container "/{held.name}": container is running: stop the container before removing or force remove'


async def _remove(parts: Parts, held: Held, volumes: bool) -> None:
    await parts.registry.run(held, held.run.replace(phase=Phase.REMOVING, take_volumes=volumes), durable=False)
    attach.end_waiting(held)
    await ending.release(parts, held)
    await finish(parts, held)


async def finish(parts: Parts, held: Held) -> None:
    """What is left once nothing of it is in the kernel any more: its volumes (when asked for), its row, its files."""
    if held.run.take_volumes:
        parts.registry.let_go(held)
        await asyncio.gather(*(_volume(parts, name) for name in held.record.anonymous_volumes))
    await parts.registry.drop(held)
    await parts.networks.reach.traffic.drop(held.id)
    try:
        await asyncio.to_thread(remove_tree, parts.layout.container(held.id))
    except OSError as error:  # it is removed for users; the next start of the engine takes its files, which no row owns
        log.warning("files of container %s are left at %s: %s", held.name, error.filename, error.strerror)


async def _volume(parts: Parts, name: str) -> None:
    try:
        await parts.volumes.remove(name, force=True)
    except (Conflict, NotFound):
        pass  # another container took it over (volumes_from)
