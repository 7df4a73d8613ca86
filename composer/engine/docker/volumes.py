"""Volumes of a remote engine (interface.Volumes)."""

from __future__ import annotations

from collections.abc import Sequence

from composer.engine.docker.client import Client, part
from composer.engine.interface import Filters
from composer.engine.model import PruneReport, Volume, VolumeConfig


class DockerVolumes:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, config: VolumeConfig) -> Volume:
        return Volume.from_wire(await self._client.call("POST", "/volumes/create", body=config.to_wire()))

    async def inspect(self, name: str) -> Volume:
        return Volume.from_wire(await self._client.call("GET", f"/volumes/{part(name)}"))

    async def list(self, filters: Filters | None = None) -> Sequence[Volume]:
        found = await self._client.call("GET", "/volumes", {"filters": dict(filters or {})})
        return [Volume.from_wire(row) for row in found.get("Volumes") or ()]

    async def remove(self, name: str, *, force: bool = False) -> None:
        await self._client.call("DELETE", f"/volumes/{part(name)}", {"force": force})

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        found = await self._client.call("POST", "/volumes/prune", {"filters": dict(filters or {})}, timeout=None)
        return PruneReport(deleted=tuple(found.get("VolumesDeleted") or ()), space_reclaimed=found.get("SpaceReclaimed") or 0)
