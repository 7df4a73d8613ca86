"""The door to an engine in memory: what the CLI does over the daemon's socket, done on the engine itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

from composer.engine.memory import MemoryEngine
from composer.engine.model import ContainerConfig
from composer.watch.door import Replica, Turn
from composer.watch.model import Exec, Subject
from composer.watch.pack import Parcel


async def stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class MemoryDoor:
    """``log``: what was asked of it, besides files. ``lines``, ``warnings``: what the voice said (it is the voice, too)."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine
        self.log: list[str] = []
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.subjects: list[Subject | None] = []
        self.broken = False

    async def make(self, name: str, service: str = "web") -> Replica:
        made = await self.engine.containers.create(ContainerConfig(image="busybox:latest", cmd=("sh",)), name)
        await self.engine.containers.start(made.id)
        return Replica(made.id, service, name)

    async def replicas(self) -> Sequence[Replica]:
        return [Replica(one.id, "web", one.name.strip("/")) for one in await self.engine.containers.list()]

    async def turns(self) -> AsyncIterator[Turn]:
        async def none() -> AsyncIterator[Turn]:
            return
            yield

        return none()

    async def sync(self, containers: Sequence[str], parcel: Parcel) -> Mapping[str, str]:
        if self.broken:
            return dict.fromkeys(containers, "no space left on device")
        done = await self.engine.containers.sync(containers, parcel.removes, stream(parcel.pieces()))
        return {one.container: one.problem for one in done if one.problem}

    async def signatures(self, container: str, trees: Mapping[str, Sequence[str]]) -> Mapping[str, Mapping[str, str]]:
        return await self.engine.containers.signatures(container, trees)

    async def restart(self, service: str, one: Replica | None = None) -> None:
        self.log.append(f"restart {one.name if one else service}")

    async def exec(self, replica: Replica, command: Exec) -> int:
        self.log.append(f"exec {replica.name} {' '.join(command.command)}")
        return 0

    async def rebuild(self, services: Collection[str]) -> Sequence[str]:
        self.log.append(f"rebuild {' '.join(sorted(services))}")
        return ()

    async def load(self) -> Subject | None:
        self.log.append("load")
        return self.subjects.pop(0)

    async def apply(self, builds: Collection[str], removed: Collection[str]) -> Sequence[str]:
        self.log.append(f"apply {sorted(builds)} {sorted(removed)}")
        return ()

    def line(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str, hint: str = "") -> None:
        self.warnings.append(text)
