"""Trap 7: at zero bytes free, containers, volumes and images can still be stopped and removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.engine.local.layout import Layout
from composer.engine.local.linux.mount import mount, unmount_beneath
from composer.engine.model import ContainerConfig, HostConfig
from tests.conftest import Opened, run

pytestmark = pytest.mark.root


@pytest.fixture
def small(place: Layout) -> Iterator[Layout]:
    """The state on a file system of its own, of 64 MB."""
    mount("tmpfs", place.root, "tmpfs", 0, "size=64m")
    yield place
    unmount_beneath(place.root)


def fill(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 4096, 1):
            while True:
                try:
                    if os.write(fd, b"\0" * size) < size:
                        break
                except OSError:
                    break
    finally:
        os.close(fd)


def test_stop_remove_and_prune_work_on_a_full_disk(small: Layout, engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            for name in ("one", "two", "three"):
                host = HostConfig(network_mode="none", binds=(f"vol-{name}:/v", "/anonymous"))
                await e.containers.create(ContainerConfig(image="bb", cmd=("idle",), host_config=host), name)
                await e.containers.start(name)
            fill(small.root / "filler")
            assert os.statvfs(small.root).f_bavail == 0
            await e.containers.stop("one", timeout=1)
            await e.containers.remove("one", volumes=True)
            await e.containers.remove("two", force=True, volumes=True)
            await e.containers.kill("three")
            assert len((await e.containers.prune()).deleted) == 1
            assert len((await e.volumes.prune({"all": ["true"]})).deleted) == 4
            assert await e.containers.list(all=True) == []
            (small.root / "filler").unlink()

    run(main())
