"""A remote engine as interface.Engine.

>>> async with DockerEngine("unix:///run/composer/composer.sock") as engine:
...     await engine.containers.list()
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

from composer.engine.docker.client import Client
from composer.engine.docker.containers import DockerContainers
from composer.engine.docker.images import DockerImages
from composer.engine.docker.networks import DockerNetworks
from composer.engine.docker.volumes import DockerVolumes
from composer.engine.interface import Filters
from composer.engine.model import DiskUsage, Event, Info
from composer.engine.model.facts import Facts, Inquiry


class DockerEngine:
    """``host``: unix:///PATH or tcp://HOST:PORT. `close` it, or use it as an async context."""

    def __init__(self, host: str) -> None:
        self._client = Client(host)
        self.containers = DockerContainers(self._client)
        self.images = DockerImages(self._client)
        self.networks = DockerNetworks(self._client)
        self.volumes = DockerVolumes(self._client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.close()

    async def info(self) -> Info:
        return Info.from_wire(await self._client.call("GET", "/info"))

    async def facts(self, about: Inquiry) -> Facts:
        """Docker's API tells of runtimes, processors and memory; the rest it finds out when it is asked to do something."""
        info = await self.info()
        runtimes = frozenset(info.runtimes) or None
        return Facts(cpus=info.ncpu, memory=info.mem_total, runtimes=runtimes)

    async def disk_usage(self) -> Sequence[DiskUsage]:
        found = await self._client.call("GET", "/system/df", timeout=None)
        if "ComposerDiskUsage" in found:
            return [DiskUsage.from_wire(row) for row in found["ComposerDiskUsage"]]
        return _sums(found)

    def events(self, filters: Filters | None = None, *, since: float = 0.0, until: float = 0.0) -> AsyncIterator[Event]:
        """From this call on (or ``since``), though the connection is made at the first read: the engine remembers what was between."""
        return self._events(filters, since or time.time(), until)

    async def _events(self, filters: Filters | None, since: float, until: float) -> AsyncIterator[Event]:
        query = {"filters": dict(filters or {}), "since": f"{since:.9f}", "until": f"{until:.9f}" if until else ""}
        reply = await self._client.request("GET", "/events", query, timeout=None)
        try:
            async for line in reply.lines():
                yield Event.from_wire(line)
        finally:
            await reply.close()


def _sums(found: Mapping[str, Any]) -> list[DiskUsage]:
    """The sums of dockerd's lists; what could be freed is told for what nobody uses."""
    images, containers, volumes = (found.get(name) or [] for name in ("Images", "Containers", "Volumes"))
    caches = found.get("BuildCache") or []
    idle = [row for row in containers if row.get("State") != "running"]
    unused = [row for row in volumes if (row.get("UsageData") or {}).get("RefCount") == 0]
    return [
        DiskUsage(
            kind="Images",
            total=len(images),
            active=sum(row.get("Containers", 0) > 0 for row in images),
            size=found.get("LayersSize") or 0,
            reclaimable=sum(row.get("Size", 0) for row in images if row.get("Containers", 0) <= 0),
        ),
        DiskUsage(
            kind="Containers",
            total=len(containers),
            active=len(containers) - len(idle),
            size=sum(row.get("SizeRw", 0) for row in containers),
            reclaimable=sum(row.get("SizeRw", 0) for row in idle),
        ),
        DiskUsage(
            kind="Local Volumes",
            total=len(volumes),
            active=len(volumes) - len(unused),
            size=sum(max(0, (row.get("UsageData") or {}).get("Size", 0)) for row in volumes),
            reclaimable=sum(max(0, (row.get("UsageData") or {}).get("Size", 0)) for row in unused),
        ),
        DiskUsage(kind="Build Cache", total=len(caches), size=sum(row.get("Size", 0) for row in caches)),
    ]
