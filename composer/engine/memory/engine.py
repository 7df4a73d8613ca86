"""The memory engine assembled, with the levers that tests pull."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from composer.engine.filters.words import Filters
from composer.engine.memory.containers import Made
from composer.engine.memory.facts import facts_of
from composer.engine.memory.flows import MemoryContainers
from composer.engine.memory.images import MemoryImages
from composer.engine.memory.lifecycle import Lifecycle
from composer.engine.memory.network import MemoryNetworks, Wiring
from composer.engine.memory.process import MemoryProcess, Program
from composer.engine.memory.traffic import MemoryTraffic
from composer.engine.memory.volumes import MemoryVolumes
from composer.engine.memory.world import World
from composer.engine.model import DiskUsage, Event, Info, LogFrame, ProcessConfig
from composer.engine.model.facts import Facts, Inquiry
from composer.engine.model.stream import STDOUT


class MemoryEngine:
    """interface.Engine. ``images`` are there from the start, with the command ``sh``.

    ``program``: what each process does (module docstring of the package); ``clock``: seconds since 1970.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] | None = None,
        program: Program | None = None,
        images: Sequence[str] = ("alpine:latest", "busybox:latest", "nginx:latest"),
    ) -> None:
        self.world = World(clock, program)
        wiring = Wiring(self.world)
        self._lifecycle = Lifecycle(self.world, wiring)
        self.images = MemoryImages(self.world)
        self.volumes = MemoryVolumes(self.world)
        self.networks = MemoryNetworks(self.world, wiring)
        self._made = Made(self.world, self._lifecycle, wiring, self.images, self.volumes)
        self.containers = MemoryContainers(self._made, self._lifecycle, self.images)
        self.traffic = MemoryTraffic(self.world, self._made.find)
        for name in images:
            self.add_image(name)

    # -- levers of the tests ---------------------------------------------------------------------------------------------------

    def add_image(self, name: str, config: ProcessConfig | None = None) -> str:
        """An image that is there; its id."""
        return self.images.add(config or ProcessConfig(cmd=("sh",), env=("PATH=/usr/bin:/bin",)), name)

    def publish_image(self, name: str, config: ProcessConfig | None = None) -> None:
        """An image that can be pulled."""
        self.world.registry[name if ":" in name else f"{name}:latest"] = config or ProcessConfig(cmd=("sh",))

    def exit(self, ref: str, code: int = 0, *, oom: bool = False) -> None:
        """Its process ends by itself; the restart policy decides what follows."""
        self._lifecycle.end(self._made.find(ref), code, oom=oom)

    def output(self, ref: str, data: bytes, stream: int = STDOUT) -> None:
        """Its process writes."""
        self.process(ref).write(data, stream)

    def health(self, ref: str, status: str) -> None:
        """Its health check finds: starting, healthy, unhealthy."""
        self._lifecycle.health(self._made.find(ref), status)

    def process(self, ref: str) -> MemoryProcess:
        record = self._made.find(ref)
        return record.process or self._lifecycle.prepare(record)

    def frames(self, ref: str) -> list[LogFrame]:
        """All that it wrote."""
        return list(self._made.find(ref).output)

    @property
    def missing_commands(self) -> set[str]:
        """Commands that no image has: starting them is CommandNotFound."""
        return self.world.missing_commands

    @property
    def healthy_at_once(self) -> bool:
        """When True, a container with a health check is healthy as soon as it starts."""
        return self.world.healthy_at_once

    @healthy_at_once.setter
    def healthy_at_once(self, value: bool) -> None:
        self.world.healthy_at_once = value

    async def close(self) -> None:
        """End all processes, as the end of the machine would."""
        for record in list(self.world.containers.values()):
            record.removed = True
            if record.restart is not None:
                record.restart.cancel()
            if record.process is not None:
                record.process.end(137)
        for row in self.world.execs.values():
            if row.process is not None:
                row.process.end(137)

    # -- interface.Engine ------------------------------------------------------------------------------------------------------

    async def info(self) -> Info:
        states = [record.container.state for record in self.world.containers.values()]
        paused = sum(state.paused for state in states)
        running = sum(state.running for state in states) - paused
        return Info(
            id="MEMORY",
            name="memory",
            containers=len(states),
            containers_running=running,
            containers_paused=paused,
            containers_stopped=len(states) - running - paused,
            images=len(self.world.images),
            driver="memory",
            server_version="memory",
            operating_system="memory",
            architecture="x86_64",
            default_runtime="memory",
            runtimes={"memory": {"path": "memory"}},
        )

    async def disk_usage(self) -> Sequence[DiskUsage]:
        used = {record.container.image for record in self.world.containers.values()}
        volumes = sum(1 for name in self.world.volumes if self.volumes.users(name))
        running = sum(record.running for record in self.world.containers.values())
        return (
            DiskUsage(kind="Images", total=len(self.world.images), active=len(used)),
            DiskUsage(kind="Containers", total=len(self.world.containers), active=running),
            DiskUsage(kind="Local Volumes", total=len(self.world.volumes), active=volumes),
            DiskUsage(kind="Build Cache"),
        )

    async def facts(self, about: Inquiry) -> Facts:
        return facts_of(self.world, about)

    def events(self, filters: Filters | None = None, *, since: float = 0.0, until: float = 0.0) -> AsyncIterator[Event]:
        return self.world.events(filters, since, until)
