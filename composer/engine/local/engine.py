"""LocalEngine: the embedded engine. It only assembles the rooms, starts them in order and ends them in the reverse order.

>>> engine = LocalEngine(Layout(root, run), settings=Settings())
>>> await engine.start()        # recovers what an earlier one left
>>> await engine.close()        # containers keep running
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from composer.engine.interface import Filters
from composer.engine.local import facts, gc, recover
from composer.engine.local.archive import finish
from composer.engine.local.containers import LocalContainers, Parts, Tasks
from composer.engine.local.containers.changing import Members
from composer.engine.local.containers.registry import Registry
from composer.engine.local.containers.traffic import LocalTraffic
from composer.engine.local.events import Events
from composer.engine.local.health import Health
from composer.engine.local.image import LocalImages
from composer.engine.local.layout import Layout
from composer.engine.local.lifecycle import Phase
from composer.engine.local.linux.mount import mounts
from composer.engine.local.linux.process import boot_id
from composer.engine.local.mending import Mending
from composer.engine.local.network.networks import LocalNetworks
from composer.engine.local.runtime import Runtime
from composer.engine.local.state import State
from composer.engine.local.supervise import Supervisor
from composer.engine.local.volume import LocalVolumes
from composer.engine.model import DiskUsage, Event, Info
from composer.engine.model.facts import Facts, Inquiry

if TYPE_CHECKING:
    from composer.engine.local.build import Builder, Cache, Runner

log = logging.getLogger(__name__)


def _none_held(labels: Mapping[str, str], requested: bool) -> bool:
    return False


@dataclass(frozen=True)
class Settings:
    """``hold(labels, requested)``: True for containers whose automatic start, when the engine starts, is left to others (stacks, in their
    order). ``requested``: it was stopped by request."""

    hold: Callable[[Mapping[str, str], bool], bool] = field(default=_none_held)


class LocalEngine:
    """interface.Engine on this machine. `start` once, `close` once."""

    def __init__(self, layout: Layout, *, settings: Settings | None = None) -> None:
        self.layout = layout
        self.settings = settings or Settings()
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Unavailable: a program or a right is missing, or the state cannot be trusted."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        await asyncio.to_thread(self.layout.make)
        self.state = State(self.layout.database)
        self._stack.push_async_callback(self.state.close)
        await asyncio.to_thread(recover.check_state, self.layout, self.state)
        self._assemble()
        await self.images.recover()
        await self.runtime.open()
        self._stack.push_async_callback(self.runtime.close)
        live = recover.known(self.parts)
        await self.volumes.start({h.id: h.record.volumes for h in self.registry if h.id in live})
        self._stack.push_async_callback(self.networks.close)
        await self.networks.reach.traffic.sweep({held.id for held in self.registry})
        await self.networks.start(live)
        down = await recover.settle(self.parts, live)
        self._stack.push_async_callback(self.tasks.close)
        self.tasks.spawn(self._health.run(), "health checks")
        self.tasks.spawn(self.traffic.follow(), "traffic")
        await recover.resume(self.parts, self._supervisor, live, down, self.settings.hold)

    def _assemble(self) -> None:
        layout, state = self.layout, self.state
        self.bus = Events()
        self._stack.callback(self.bus.close)
        self.registry = Registry(state)
        self.images = LocalImages(layout, state, self.bus.publish, self.registry.image_users)
        self.runtime = Runtime(layout)
        self.networks = LocalNetworks(layout, state, self.bus.publish)
        self.volumes = LocalVolumes(layout, state, self.bus.publish, self.registry.volume_users)
        self.tasks = Tasks()
        self.parts = Parts(
            layout=layout,
            registry=self.registry,
            events=self.bus,
            images=self.images.store,
            layers=self.images.layers,
            blobs=self.images.blobs,
            snapshots=self.images.snapshots,
            runtime=self.runtime,
            networks=self.networks,
            volumes=self.volumes,
            boot=boot_id(),
            watch=lambda held: self._supervisor.watch(held),
            tasks=self.tasks,
        )
        self._health = Health(self.parts)
        self._supervisor = Supervisor(self.parts, self._health)
        self._mending = Mending(self.parts)
        self.networks.members = Members(self.parts)
        self.containers = LocalContainers(self.parts)
        self.traffic = LocalTraffic(self.parts)
        self._add_builder()

    def _add_builder(self) -> None:
        """Its room is opened by the first build or prune: a start after a crash is to answer soon."""
        images = self.images
        opened: list[tuple[Builder, Cache, Runner]] = []

        def room() -> tuple[Builder, Cache, Runner]:
            if not opened:
                from composer.engine.local.build import Builder, Cache, Roots, Runner

                cache = Cache(self.state)
                roots = Roots(self.layout, images.layers, images.snapshots)
                runner = Runner(self.layout, self.runtime, self.networks)
                opened.append((Builder(self.layout, images.store, images.blobs, roots, cache, runner, images.pull), cache, runner))
            return opened[0]

        images.store.keepers.append(lambda: room()[1].layers())
        images.builder = lambda config: room()[0].build(config)

        async def forget() -> int:
            _, cache, runner = room()
            await cache.clear()
            return await finish(runner.clear)

        images.forget_builds = forget

    async def close(self) -> None:
        """End the daemon's side of everything; containers keep running, and the next `start` knows them."""
        await self._stack.aclose()

    async def mend(self) -> Sequence[str]:
        """Compare what runs with the rows, and put right what differs; what was, as sentences. Cheap: a pass of some ms."""
        return await self._mending.mend()

    def events(self, filters: Filters | None = None, *, since: float = 0.0, until: float = 0.0) -> AsyncIterator[Event]:
        return self.bus.subscribe(filters, since=since, until=until)

    async def disk_usage(self) -> Sequence[DiskUsage]:
        return await gc.disk_usage(self.parts)

    async def facts(self, about: Inquiry) -> Facts:
        return await facts.gather(about, self.parts)

    async def info(self) -> Info:
        phases = [held.run.phase for held in self.registry]
        paused = phases.count(Phase.PAUSED)
        running = phases.count(Phase.RUNNING)
        uname = os.uname()
        cgroups = self.runtime.hierarchies.version
        return Info(
            id=self.layout.instance,
            name=socket.gethostname(),
            containers=len(phases),
            containers_running=running,
            containers_paused=paused,
            containers_stopped=len(phases) - running - paused,
            images=len(self.images.store.all()),
            driver_status=(("Backing Filesystem", await asyncio.to_thread(_file_system, self.layout.root)),),
            docker_root_dir=str(self.layout.root),
            server_version=_version(),
            operating_system=await asyncio.to_thread(_distribution),
            architecture=uname.machine,
            kernel_version=uname.release,
            ncpu=os.cpu_count() or 1,
            mem_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            ipv4_forwarding=Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1",
            oom_kill_disable=cgroups == 1,
            cgroup_version=str(cgroups),
            default_runtime=self.runtime.default,
            runtimes={name: {"path": path} for name, path in self.runtime.available().items()},
            security_options=("name=seccomp,profile=builtin",),
            warnings=tuple(self.networks.notes),
        )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # late: it reads mail headers, 30 ms of imports

    try:
        return version("composer")
    except PackageNotFoundError:
        return "unknown"


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _file_system(path: Path) -> str:
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    return next((m.kind for m in mounts() if m.device == wanted), "unknown")
