"""The engines that the contract is held against, each opened for one test: memory, memory through its API, local, local through its API,
and the dockerd that DOCKER_HOST_CONTRACT names."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from composer.daemon import docker_api
from composer.daemon.server import Server
from composer.engine.docker import DockerEngine
from composer.engine.interface import Engine
from composer.engine.local.layout import Layout
from composer.engine.memory import MemoryEngine
from tests.contract.shell import shell
from tests.fixtures.busybox import busybox_archive

IMAGE = "ctbb:latest"
LIMIT = 60.0  # seconds for one behaviour
Behaviour = Callable[[Engine], Awaitable[None]]
Open = Callable[[], AbstractAsyncContextManager[Engine]]


@dataclass(frozen=True)
class Backend:
    name: str
    open: Open

    def run(self, behaviour: Behaviour) -> None:
        async def main() -> None:
            async with asyncio.timeout(LIMIT), self.open() as engine:
                await behaviour(engine)

        asyncio.run(main())


class NoLog:
    def error(self, event: str, /, **fields: object) -> None:
        raise AssertionError(f"the server logged an error: {event} {fields}")


@asynccontextmanager
async def served(engine: Engine) -> AsyncIterator[DockerEngine]:
    """A client of ``engine`` behind the daemon's server, on a socket of its own."""
    directory = Path(tempfile.mkdtemp(prefix="ct-"))
    server = Server(docker_api.routes(engine, spool=directory / "spool", version="test"), log=NoLog(), headers=docker_api.HEADERS)
    try:
        await server.listen(directory / "api.sock")
        async with DockerEngine(f"unix://{directory}/api.sock") as client:
            yield client
    finally:
        await server.close(grace=2.0)
        shutil.rmtree(directory, ignore_errors=True)


async def load(engine: Engine) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield busybox_archive(IMAGE)

    async for _ in engine.images.load(chunks()):
        pass


@asynccontextmanager
async def memory() -> AsyncIterator[Engine]:
    engine = MemoryEngine(clock=time.time, program=shell, images=())
    engine.missing_commands.add("/no/such")
    await load(engine)
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def memory_api() -> AsyncIterator[Engine]:
    async with memory() as engine, served(engine) as client:
        yield client


@asynccontextmanager
async def local() -> AsyncIterator[Engine]:
    from tests.conftest import open_engine

    root, run = (Path(tempfile.mkdtemp(prefix="ct-", dir=parent)) for parent in ("/var/tmp", "/run"))
    number = os.urandom(1)[0]
    try:
        layout = Layout(root, run, pool=f"10.212.{number & 0xF0}.0/20", pool6=f"fd6d:7064:{number:x}::/48")
        async with open_engine(layout, image=busybox_archive(IMAGE)) as engine:
            yield engine
    finally:
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


@asynccontextmanager
async def local_api() -> AsyncIterator[Engine]:
    async with local() as engine, served(engine) as client:
        yield client


@asynccontextmanager
async def dockerd() -> AsyncIterator[Engine]:
    async with DockerEngine(os.environ["DOCKER_HOST_CONTRACT"]) as engine:
        await load(engine)
        before = {one.id for one in await engine.containers.list(all=True)}, {one.id for one in await engine.networks.list()}
        try:
            yield engine
        finally:
            for one in await engine.containers.list(all=True):
                if one.id not in before[0]:
                    await engine.containers.remove(one.id, force=True, volumes=True)
            for network in await engine.networks.list():
                if network.id not in before[1]:
                    await engine.networks.remove(network.id)
            for volume in await engine.volumes.list({"label": ["contract"]}):
                await engine.volumes.remove(volume.name, force=True)
            await engine.images.remove(IMAGE, force=True)


BACKENDS = [Backend("memory", memory), Backend("memory-api", memory_api)]
ROOT_BACKENDS = [Backend("local", local), Backend("local-api", local_api)]
if "DOCKER_HOST_CONTRACT" in os.environ:
    ROOT_BACKENDS.append(Backend("dockerd", dockerd))
