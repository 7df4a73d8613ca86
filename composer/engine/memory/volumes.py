"""Volumes in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence

from composer.engine.errors import Conflict, InvalidArgument, NotFound, Unsupported
from composer.engine.filters import volumes as filtering
from composer.engine.filters.words import Filters, check, flag, labels_match
from composer.engine.memory.archive import Files
from composer.engine.memory.world import World
from composer.engine.model import PruneReport, Volume, VolumeConfig

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
ANONYMOUS = "com.docker.volume.anonymous"


class MemoryVolumes:
    """interface.Volumes."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def create(self, config: VolumeConfig) -> Volume:
        return self.make(config)

    def make(self, config: VolumeConfig) -> Volume:
        """The volume, made when it is not there. InvalidArgument (name), Unsupported (driver)."""
        if config.driver not in ("", "local"):
            raise Unsupported(f'volume driver "{config.driver}" is not supported', hint="use the driver local")
        labels = config.labels if config.name else {**config.labels, ANONYMOUS: ""}
        name = config.name or self._world.next_id("volume")
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f'create {name}: "{name}" includes invalid characters for a local volume name')
        if name in self._world.volumes:
            return self._world.volumes[name]
        volume = Volume(
            name=name,
            mountpoint=f"/var/lib/composer/volumes/{name}/_data",
            created_at=self._world.now(),
            labels=labels,
            options=config.driver_opts,
        )
        self._world.volumes[name] = volume
        self._world.volume_files[name] = Files()
        self._world.publish("volume", "create", name, {"driver": "local"})
        return volume

    async def inspect(self, name: str) -> Volume:
        if name not in self._world.volumes:
            raise NotFound(f"get {name}: no such volume")
        return self._world.volumes[name]

    async def list(self, filters: Filters | None = None) -> Sequence[Volume]:
        return filtering.select(sorted(self._world.volumes.values(), key=_name), filters, used=lambda name: bool(self.users(name)))

    def users(self, name: str) -> Sequence[str]:
        """Ids of the containers that mount it, running or not."""
        return [r.id for r in self._world.containers.values() if any(m.type == "volume" and m.name == name for m in r.container.mounts)]

    async def remove(self, name: str, *, force: bool = False) -> None:
        if name not in self._world.volumes:
            if force:
                return
            raise NotFound(f"get {name}: no such volume")
        if users := self.users(name):
            raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
        del self._world.volumes[name]
        self._world.volume_files.pop(name, None)
        self._world.publish("volume", "destroy", name, {"driver": "local"})

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        wanted = check(filters, filtering.PRUNE_KEYS)
        every = flag(wanted, "all") or False
        gone = []
        for volume in list(self._world.volumes.values()):
            chosen = (every or ANONYMOUS in volume.labels) and labels_match(volume.labels, wanted)
            if chosen and not self.users(volume.name):
                await self.remove(volume.name)
                gone.append(volume.name)
        return PruneReport(deleted=tuple(gone))


def _name(volume: Volume) -> str:
    return volume.name
