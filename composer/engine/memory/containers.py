"""Containers in memory: making, listing, signalling, removing (interface.Containers)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from composer.engine.errors import Conflict, InvalidArgument, NotFound, NotRunning
from composer.engine.filters import containers as filtering
from composer.engine.filters.words import Filters, check, labels_match
from composer.engine.memory.images import MemoryImages
from composer.engine.memory.lifecycle import Lifecycle
from composer.engine.memory.making import endpoints, merged, mounts
from composer.engine.memory.network import Wiring, find_network
from composer.engine.memory.process import SIGNALS, signal_number
from composer.engine.memory.volumes import MemoryVolumes
from composer.engine.memory.world import Record, World
from composer.engine.model import (
    Container,
    ContainerConfig,
    ContainerCreated,
    ContainerUpdate,
    NetworkSettings,
    PruneReport,
    WaitResult,
)

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


class Made:
    """The containers as objects; `MemoryContainers` adds what flows (logs, attach, archives)."""

    def __init__(self, world: World, lifecycle: Lifecycle, wiring: Wiring, images: MemoryImages, volumes: MemoryVolumes) -> None:
        self.world = world
        self._lifecycle = lifecycle
        self._wiring = wiring
        self._images = images
        self._volumes = volumes
        lifecycle.over = self._remove_if_wished

    def find(self, ref: str) -> Record:
        """By id, name or id prefix. NotFound; InvalidArgument when the prefix is ambiguous."""
        records = self.world.containers
        bare = ref.removeprefix("/")
        if bare in records:
            return records[bare]
        for record in records.values():
            if record.name == bare:
                return record
        found = [record for id, record in records.items() if bare and id.startswith(bare)]
        if len(found) > 1:
            raise InvalidArgument(f"multiple IDs found with provided prefix: {bare}")
        if not found:
            raise NotFound(f"No such container: {ref}")
        return found[0]

    def live(self, ref: str) -> Record:
        """As `find`. NotRunning; Conflict when it is paused."""
        record = self.find(ref)
        if not record.running or record.container.state.restarting:
            raise NotRunning(f"container {record.id} is not running")
        if record.container.state.paused:
            raise Conflict(f"container {record.id} is paused, unpause the container before exec")
        return record

    def create(self, config: ContainerConfig, name: str) -> ContainerCreated:
        if name and not _NAME.fullmatch(name.removeprefix("/")):
            raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        image = self._images.find(config.image)
        wishes = {self._network(ref): wish for ref, wish in endpoints(config).items()}
        id = self.world.next_id("container")
        name = name.removeprefix("/") or f"memory_{len(self.world.containers) + 1}_{id[:6]}"
        self._check_name(name)
        process = merged(config, image.image.config, id)
        argv = (*(process.entrypoint or ()), *(process.cmd or ()))
        if not argv:
            raise InvalidArgument("no command specified")
        points, anonymous = mounts(config, process, lambda wish: self._volumes.make(wish).name)
        points = [point.replace(source=self.world.volumes[point.name].mountpoint) if point.name else point for point in points]
        host = config.host_config
        mode = "bridge" if host.network_mode in ("", "default") else host.network_mode
        container = Container(
            id=id,
            created=self.world.now(),
            path=argv[0],
            args=argv[1:],
            image=image.image.id,
            name=f"/{name}",
            host_config=host.replace(network_mode=mode, log_config=host.log_config.replace(type=host.log_config.type or "json-file")),
            mounts=tuple(points),
            config=process,
            network_settings=NetworkSettings(networks=wishes),
        )
        self.world.containers[id] = record = Record(container, wishes, anonymous)
        self.world.tell(record, "create")
        return ContainerCreated(id=id)

    def _network(self, ref: str) -> str:
        return find_network(self.world, ref).name

    def _check_name(self, name: str) -> None:
        for record in self.world.containers.values():
            if record.name == name:
                raise Conflict(
                    f'Conflict. The container name "/{name}" is already in use by container "{record.id}". '
                    "You have to remove (or rename) that container to be able to reuse that name."
                )

    def start(self, ref: str) -> None:
        self._lifecycle.start(self.find(ref))

    async def stop(self, ref: str, signal: str, timeout: int | None) -> None:
        record = self.find(ref)
        if not record.running:
            return
        config = record.container.config
        grace = timeout if timeout is not None else config.stop_timeout if config.stop_timeout is not None else 10
        number = signal_number(signal or config.stop_signal or "SIGTERM")
        exits = record.exits
        self._lifecycle.stop(record, number)
        await self._ended(record, exits, grace if grace >= 0 else None)
        if record.running and record.exits == exits:
            self._lifecycle.stop(record, SIGNALS["KILL"])
        self.world.tell(record, "stop")

    async def _ended(self, record: Record, exits: int, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                while record.running and record.exits == exits:
                    await record.changed.next()
        except TimeoutError:
            return

    async def restart(self, ref: str, signal: str, timeout: int | None) -> None:
        record = self.find(ref)
        auto_remove, host = record.container.host_config.auto_remove, record.container.host_config
        record.container = record.container.replace(host_config=host.replace(auto_remove=False))
        await self.stop(ref, signal, timeout)
        record.container = record.container.replace(host_config=host.replace(auto_remove=auto_remove))
        self._lifecycle.start(record)
        self.world.tell(record, "restart")

    def kill(self, ref: str, signal: str) -> None:
        record = self.find(ref)
        number = signal_number(signal or "SIGKILL")
        if not record.running:
            raise NotRunning(f"cannot kill container: {ref}: container {record.id} is not running")
        if number == SIGNALS["KILL"] or number == signal_number(record.container.config.stop_signal or "SIGTERM"):
            self._lifecycle.stop(record, number)
        elif record.process is not None:
            self.world.tell(record, "kill", signal=str(number))
            record.process.signal(number)

    def pause(self, ref: str, paused: bool) -> None:
        record = self.find(ref)
        if not record.running:
            raise NotRunning(f"container {record.id} is not running")
        if record.container.state.paused is paused:
            raise Conflict(f"container {record.id} is {'already' if paused else 'not'} paused")
        record.set(paused=paused, status="paused" if paused else "running")
        self.world.tell(record, "pause" if paused else "unpause")

    def rename(self, ref: str, name: str) -> None:
        record = self.find(ref)
        name = name.removeprefix("/")
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        if name == record.name:
            raise InvalidArgument("Renaming a container with the same name as its current name")
        self._check_name(name)
        old = record.container.name
        record.container = record.container.replace(name=f"/{name}")
        self.world.tell(record, "rename", oldName=old)

    def update(self, ref: str, change: ContainerUpdate) -> tuple[str, ...]:
        record = self.find(ref)
        fields = {name: getattr(change, name) for name in change.model_fields_set if getattr(change, name) is not None}
        record.container = record.container.replace(host_config=record.container.host_config.replace(**fields))
        self.world.tell(record, "update")
        return ()

    def remove(self, ref: str, force: bool, volumes: bool) -> None:
        record = self.find(ref)
        if record.running and not force:
            state = "paused" if record.container.state.paused else "restarting" if record.container.state.restarting else "running"
            problem = f'cannot remove container "{record.container.name}": container is {state}'
            raise Conflict(f"{problem}: stop the container before removing or force remove")
        record.removed = True
        if record.running:
            self._lifecycle.stop(record, SIGNALS["KILL"])
        for row in self.world.execs.values():
            if row.container_id == record.id and row.process is not None:
                row.process.end(137)
        self._wiring.unplug(record)
        del self.world.containers[record.id]
        self.world.tell(record, "destroy")
        record.changed.tell()
        for name in record.anonymous if volumes or record.container.host_config.auto_remove else ():
            if not self._volumes.users(name):
                self.world.volumes.pop(name, None)

    def _remove_if_wished(self, record: Record) -> None:
        if record.container.host_config.auto_remove and not record.removed:
            self.remove(record.id, force=False, volumes=True)

    async def wait(self, ref: str, condition: str) -> WaitResult:
        record = self.find(ref)
        if condition not in ("", "not-running", "next-exit", "removed"):
            raise InvalidArgument(f"invalid condition: {condition}")
        exits = record.exits
        while not record.removed:
            if condition == "next-exit" and record.exits > exits:
                break
            if condition in ("", "not-running") and (not record.running or record.container.state.restarting):
                break
            await record.changed.next()
        return WaitResult(status_code=record.container.state.exit_code)

    def list(self, all: bool, filters: Filters | None) -> Sequence[Container]:
        wanted = filtering.wanted(filters)
        every = all or filtering.stopped_too(wanted)
        found = [record.container for record in reversed(self.world.containers.values()) if every or record.running]
        context = filtering.Context(created=lambda ref: self.find(ref).container.created, made_from=_made_from)
        return [one for one in found if filtering.passes(one, wanted, context)]

    def prune(self, filters: Filters | None) -> PruneReport:
        wanted = check(filters, filtering.PRUNE_KEYS)
        gone = []
        for record in list(self.world.containers.values()):
            if not record.running and labels_match(record.container.config.labels, wanted):
                self.remove(record.id, force=False, volumes=False)
                gone.append(record.id)
        return PruneReport(deleted=tuple(gone))


def _made_from(one: Container, image: str) -> bool:
    named = {one.config.image, one.config.image.removesuffix(":latest"), one.image}
    return image in named or one.image.removeprefix("sha256:").startswith(image.removeprefix("sha256:"))
