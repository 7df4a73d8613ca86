"""What tests of the real engine need: an engine of their own (directories, address pool), and a check that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from composer.engine.local.files import remove_tree
from composer.engine.local.layout import Layout
from tests.fixtures.busybox import busybox_archive
from tests.fixtures.leaks import Snapshot
from tests.fixtures.patience import patient

if TYPE_CHECKING:  # the fast tests of other rooms do not wait for the whole engine to be imported
    from composer.engine.local.engine import LocalEngine, Settings

T = TypeVar("T")
LIMIT = 60.0  # seconds for one asynchronous test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("timeout")
        limit = float(mark.args[0] if mark is not None else item.config.getoption("timeout"))
        item.add_marker(pytest.mark.timeout(patient(limit)), append=False)
    if os.geteuid() == 0:
        return
    for item in items:
        if "root" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def place() -> Iterator[Layout]:
    """A layout of its own: short paths (a socket's path has 107 characters), the run directory on tmpfs as on a user's machine."""
    root = Path(tempfile.mkdtemp(prefix="ct-", dir="/var/tmp"))
    run = Path(tempfile.mkdtemp(prefix="ct-", dir="/run"))
    number = int.from_bytes(os.urandom(1), "big")
    try:
        yield Layout(root, run, pool=f"10.210.{number & 0xF0}.0/20", pool6=f"fd6d:7063:{number:x}::/48")
    finally:
        remove_tree(run)
        remove_tree(root)


@pytest.fixture
def no_leaks(place: Layout) -> Iterator[None]:
    """Fails the test that leaves a mount, link, table, cgroup, namespace or process behind."""
    before = Snapshot.take(place)
    yield
    deadline = time.monotonic() + patient(5.0)  # the kernel removes links and namespaces a little later
    left = before.grown(Snapshot.take(place))
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = before.grown(Snapshot.take(place))
    assert not left, "left behind: " + "; ".join(left)


Opened = Callable[..., "AbstractAsyncContextManager[LocalEngine]"]


@asynccontextmanager
async def open_engine(layout: Layout, *, image: bytes | None = None, settings: Settings | None = None) -> AsyncIterator[LocalEngine]:
    """A started engine with the image ``bb:latest``; all of its containers, networks and volumes are removed at the end."""
    from composer.engine.local.engine import LocalEngine

    engine = LocalEngine(layout, settings=settings)
    await engine.start()
    try:
        if not any("bb:latest" in image.repo_tags for image in [await engine.images.inspect(i.id) for i in await engine.images.list()]):
            await load(engine, image or busybox_archive())
        yield engine
    finally:
        try:
            await clear(engine)
        finally:
            await engine.close()


async def load(engine: LocalEngine, archive: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield archive

    async for _ in engine.images.load(chunks()):
        pass


async def clear(engine: LocalEngine) -> None:
    containers = await engine.containers.list(all=True)
    await asyncio.gather(*(engine.containers.remove(c.id, force=True, volumes=True) for c in containers))
    for network in await engine.networks.list():
        if network.name not in ("bridge", "host", "none"):
            await engine.networks.remove(network.id)
    await engine.volumes.prune({"all": ["true"]})


@pytest.fixture
def engine(place: Layout, no_leaks: None) -> Opened:
    """``async with engine() as e:`` a LocalEngine on `place`; leaks fail the test."""

    def opened(*, image: bytes | None = None, settings: Settings | None = None) -> AbstractAsyncContextManager[LocalEngine]:
        return open_engine(place, image=image, settings=settings)

    return opened


def run(work: Coroutine[Any, Any, T], limit: float = LIMIT) -> T:
    """asyncio.run with a time limit."""

    async def limited() -> T:
        async with asyncio.timeout(patient(limit)):
            return await work

    return asyncio.run(limited())


async def eventually(check: Callable[[], Any], within: float = 10.0) -> Any:
    """Poll until ``check`` (a function, or one that gives an awaitable) is true; its value."""
    deadline = time.monotonic() + patient(within)
    while True:
        value = check()
        if asyncio.iscoroutine(value):
            value = await value
        if value or time.monotonic() > deadline:
            assert value, f"not within {within} s: {check}"
            return value
        await asyncio.sleep(0.02)


async def written(engine: LocalEngine, ref: str, wanted: bytes) -> bool:
    """Whether the container's log has these bytes."""
    from composer.engine.model import LogOptions

    return any([wanted in frame.data async for frame in engine.containers.logs(ref, LogOptions())])
