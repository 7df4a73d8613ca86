"""A full disk (trap 7): removing and pruning work at zero bytes free, and bringing in fails without leaving anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.engine.errors import EngineError
from composer.engine.local.linux import mount as mounts
from tests.fixtures.busybox import busybox_archive
from tests.fixtures.disk import mounted
from tests.fixtures.images import image_room

pytestmark = pytest.mark.root


@pytest.fixture(params=["tmpfs", "ext4"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 24 MB, nothing of it set aside for root."""
    target = tmp_path / "disk"
    if request.param == "ext4":
        with mounted(tmp_path / "image", target, size=24 << 20):
            yield target
        return
    target.mkdir()
    mounts.mount("none", target, "tmpfs", 0, "size=24m")
    yield target
    mounts.unmount_beneath(target)


def fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert os.statvfs(disk).f_bavail == 0


@pytest.mark.parametrize("restart", [False, True])
def test_remove_and_prune_at_zero_bytes_free(disk: Path, restart: bool) -> None:
    async def run() -> None:
        async with image_room(disk) as room:
            await room.load(busybox_archive("bb:1"), busybox_archive("bb:2", files={"f": b"2" * 100_000}))
            if not restart:
                fill(disk)
                await room.images.remove("bb:2")
                await room.images.prune({"dangling": ["false"]})
                assert os.listdir(room.layout.layers) == room.images.blobs.stored() == []
        if restart:
            fill(disk)
            async with image_room(disk) as room:
                assert room.tags() == ["bb:1", "bb:2"]
                await room.images.remove("bb:2")
                await room.images.prune({"dangling": ["false"]})
                assert os.listdir(room.layout.layers) == room.images.blobs.stored() == []

    asyncio.run(run())


def test_loading_onto_a_full_disk(disk: Path) -> None:
    async def run() -> None:
        async with image_room(disk) as room:
            await room.load(busybox_archive("bb:1"))
            fill(disk)
            with pytest.raises(EngineError, match="No space left on device"):
                await room.load(busybox_archive("bb:2", files={"f": os.urandom(3 << 20)}))
            assert room.tags() == ["bb:1"]
            assert os.listdir(room.layout.temporary) == []

    asyncio.run(run())
