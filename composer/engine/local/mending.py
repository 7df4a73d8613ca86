"""Keeping running containers as their rows say, where no event of the kernel tells that somebody changed them: one pass over all of them.

Limits in cgroup files, pins and insides of network namespaces are put right, and told as the event `mend`. A mount that is gone inside a
container is not put back under a process that has gone on without it: it is told as the event `drift`, and who looks after the container
starts it again. (Neither is Docker's.)
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping

from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.linux.beneath import open_in_root
from composer.engine.local.linux.mount import mounts
from composer.engine.local.runtime import limit_drift
from composer.engine.model import HostConfig

log = logging.getLogger(__name__)
_OWN_NETWORK = frozenset({"NET_ADMIN", "CAP_NET_ADMIN", "ALL", "CAP_ALL"})


class Mending:
    """``mend`` once in a while."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lost: set[tuple[str, str]] = set()  # what was logged
        parts.networks.container_mended = self._told

    async def mend(self) -> list[str]:
        """What was put right, as sentences."""
        networks, running = self._parts.networks, [held for held in self._parts.registry if held.run.phase.alive]
        mended = list(await networks.heal())
        own = [held.id for held in running if _rules_its_network(held.record.config.host_config)]
        mended += await networks.heal_insides({held.id: held.run.pid for held in running if held.run.pid}, own)
        mended += await self._limits(running)
        await self._mounts(running)
        return mended

    def _told(self, container: str, what: str, found: str, since: float) -> None:
        held = self._parts.registry.get(container)
        if held is not None:
            self._parts.publish(held, "mend", {"what": what, "found": found, "since": str(since)})

    async def _limits(self, running: list[Held]) -> list[str]:
        hierarchies = self._parts.runtime.hierarchies
        wishes = [(held, self._parts.bundle(held).cgroup, held.record.config.host_config) for held in running]

        def work() -> list[tuple[Held, str]]:
            return [(held, what) for held, cgroup, host in wishes for what in limit_drift.mend(hierarchies, cgroup, host)]

        mended = await asyncio.to_thread(work)
        for held, what in mended:
            self._told(held.id, what, "resync", 0.0)
        return [f"{what} ({held.name})" for held, what in mended]

    async def _mounts(self, running: list[Held]) -> None:
        wishes = {held.run.pid: tuple(row.destination for row in held.record.mounts) for held in running if held.record.mounts}
        lost = await asyncio.to_thread(_lost_mounts, wishes)
        told = set()
        for held in running:
            for path in lost.get(held.run.pid, ()):
                told.add((held.id, path))
                if (held.id, path) not in self._lost:
                    log.warning("nothing is mounted at %s of container %s any more", path, held.name)
                self._parts.publish(held, "drift", {"what": path})
        self._lost = told


def _rules_its_network(host: HostConfig) -> bool:
    return host.privileged or any(cap.upper() in _OWN_NETWORK for cap in host.cap_add)


def _lost_mounts(wishes: Mapping[int, tuple[str, ...]]) -> dict[int, list[str]]:
    """Of processes: the paths at which nothing is mounted, although it should be. Blocking, a file for each process."""
    found = {}
    for pid, destinations in wishes.items():
        try:
            lost = _lost(pid, destinations)
        except OSError:
            continue  # it has ended meanwhile
        if lost:
            found[pid] = lost
    return found


def _lost(pid: int, destinations: tuple[str, ...]) -> list[str]:
    here = {found.mount_id: found.target for found in mounts(pid)}
    targets = set(here.values())
    return [path for path in destinations if path not in targets and _in_root(pid, path, here, destinations)]


def _in_root(pid: int, path: str, here: Mapping[int, str], destinations: tuple[str, ...]) -> bool:
    """Whether the path (which may lead over links) ends in the root file system, or in a mount that has another place."""
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(root, path, os.O_PATH)
    except FileNotFoundError:
        return True
    finally:
        os.close(root)
    try:
        with open(f"/proc/self/fdinfo/{fd}") as info:
            mount = next(int(line.split()[1]) for line in info if line.startswith("mnt_id:"))
    finally:
        os.close(fd)
    return here.get(mount, "/") in {"/", *destinations}
