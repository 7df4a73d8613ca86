"""What the contract's tests are written with: `behaviour` makes a test of a coroutine function; a few steps that many of them take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from composer.engine.interface import Engine
from composer.engine.model import Container, ContainerConfig, HostConfig, LogFrame, LogOptions, Stream
from tests.contract.backends import IMAGE, Backend, Behaviour


def behaviour(scenario: Behaviour) -> Callable[[Backend], None]:
    """The test of a scenario over each backend."""

    def test(backend: Backend) -> None:
        backend.run(scenario)

    test.__name__ = test.__qualname__ = getattr(scenario, "__name__", "behaviour")
    test.__doc__ = scenario.__doc__
    return test


def config(*cmd: str, **changes: object) -> ContainerConfig:
    """A container of the test image without a network (so that it starts quickly), unless ``host_config`` says otherwise."""
    changes.setdefault("host_config", HostConfig(network_mode="none"))
    return ContainerConfig(image=IMAGE, cmd=cmd or ("idle",), **changes)


async def started(engine: Engine, name: str, *cmd: str, **changes: object) -> Container:
    made = await engine.containers.create(config(*cmd, **changes), name)
    await engine.containers.start(made.id)
    return await engine.containers.inspect(made.id)


async def ran(engine: Engine, name: str, *cmd: str, **changes: object) -> int:
    """Create, start, wait; the exit code."""
    made = await engine.containers.create(config(*cmd, **changes), name)
    waiting = asyncio.ensure_future(engine.containers.wait(made.id, "next-exit"))
    await asyncio.sleep(0.05)  # the wait must have begun before the start
    await engine.containers.start(made.id)
    return (await waiting).status_code


async def eventually(check: Callable[[], Awaitable[bool]], within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not await check():
        assert time.monotonic() < deadline, "it did not come to be"
        await asyncio.sleep(0.02)


async def status(engine: Engine, ref: str) -> str:
    return (await engine.containers.inspect(ref)).state.status


async def output(engine: Engine, ref: str, **options: object) -> list[tuple[int, bytes]]:
    return [(frame.stream, frame.data) async for frame in engine.containers.logs(ref, LogOptions(**options))]


async def everything(stream: Stream) -> tuple[bytes, bytes]:
    """All of a stream: standard output and standard error."""
    frames: list[LogFrame] = [frame async for frame in stream]
    return b"".join(f.data for f in frames if f.stream == 1), b"".join(f.data for f in frames if f.stream == 2)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
