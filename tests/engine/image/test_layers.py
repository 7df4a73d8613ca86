"""Layers are whole or not there: synced before the row, undone after a crash, committed from an upper directory."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from composer.engine.errors import NotFound
from composer.engine.local import files
from composer.engine.local.image import digest as digests
from composer.engine.local.image.reference import parse
from composer.engine.local.linux import mount as mounts
from tests.fixtures.busybox import BUSYBOX, busybox_archive
from tests.fixtures.disk import mounted
from tests.fixtures.images import ImageRoom, image_room
from tests.fixtures.patience import patient

pytestmark = pytest.mark.root


@pytest.mark.parametrize("way", ["load", "commit"])
def test_a_power_cut_right_after_the_row(tmp_path: Path, way: str) -> None:
    """Trap 6: the disk as it is at the moment when the row is written has every file of the layer, with its content."""

    async def work(disk: Path) -> None:
        async with image_room(disk) as room:
            await room.load(busybox_archive(files={"f": b"content" * 1000}))
            if way == "commit":
                upper, chain = await _upper(room, "bb", "yes content | head -n 1000 >new")
                layer = await room.images.layers.commit(upper, chain)
                below = [one for chain_id in chain if (one := room.images.layers.get(chain_id)) is not None]
                document = {"rootfs": {"diff_ids": [one.diff_id for one in (*below, layer)]}}
                await room.images.store.put(json.dumps(document).encode(), [*below, layer], tags=[parse("committed")])
            shutil.copy(tmp_path / "image", tmp_path / "after")

    async def check(disk: Path) -> None:
        async with image_room(disk) as room:
            top, base = room.images.layers.paths(room.images.store.resolve("bb"))
            assert (top / "f").read_bytes() == b"content" * 1000
            assert (base / "bin/busybox").read_bytes() == BUSYBOX.read_bytes()
            for record in room.images.store.all():
                for digest in record.blobs:
                    assert digests.of(room.images.blobs.path(digest).read_bytes()) == digest
            if way == "commit":
                made = room.images.layers.paths(room.images.store.resolve("committed"))[0]
                assert (made / "new").read_bytes() == b"content\n" * 1000

    with mounted(tmp_path / "image", tmp_path / "disk", size=64 << 20) as disk:
        asyncio.run(work(disk))
    with mounted(tmp_path / "after", tmp_path / "disk") as disk:
        asyncio.run(check(disk))


def test_what_no_row_owns_is_removed_at_start(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive())
            layout = room.layout
        (layout.layers / ("0" * 64) / "etc").mkdir(parents=True)
        (layout.blobs / "sha256" / ("1" * 64)).write_bytes(b"half")
        (layout.temporary / "layer-x" / "mnt").mkdir(parents=True)
        mounts.mount("none", layout.temporary / "layer-x/mnt", "tmpfs")
        async with image_room(tmp_path) as room:
            assert len(os.listdir(layout.layers)) == 1
            assert sorted(room.images.blobs.stored()) == sorted(room.images.store.resolve("bb").blobs)
            assert os.listdir(layout.temporary) == []

    asyncio.run(run())


def test_a_layer_that_was_deleted_by_hand_is_told_and_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive())
            files.remove_tree(room.images.layers.paths(room.images.store.resolve("bb"))[0])
        async with image_room(tmp_path) as room:
            with pytest.raises(NotFound, match="is missing"):
                room.images.layers.paths(room.images.store.resolve("bb"))
            await room.load(busybox_archive())
            assert (room.images.layers.paths(room.images.store.resolve("bb"))[0] / "bin/busybox").exists()

    asyncio.run(run())


SCRIPT = """
import asyncio, sys
from pathlib import Path
from composer.engine.local.image.reference import parse
from tests.fixtures.busybox import BUSYBOX, busybox_archive
from tests.fixtures.disk import mounted
from tests.fixtures.images import image_room
async def main():
    async with image_room(Path(sys.argv[1])) as room:
        print("open", flush=True)
        for n in range(1000):
            await room.load(busybox_archive(f"bb:{n}", files={"n": b"%d" % n}))
            if n >= 2: await room.images.remove(f"bb:{n-2}")
asyncio.run(main())
"""


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """kill -9 while images come and go: what the next start finds is whole, and nothing else is there."""

    async def check() -> None:
        async with image_room(tmp_path) as room:
            owned = {digest for record in room.images.store.all() for digest in record.blobs}
            assert set(room.images.blobs.stored()) == owned
            assert len(os.listdir(room.layout.layers)) == len(room.images.layers.all())
            for record in room.images.store.all():
                top, base = room.images.layers.paths(record)
                assert (base / "bin/busybox").stat().st_size > 1_000_000
                assert (top / "n").read_text() in record.tags[0] if record.tags else True

    for moment in range(8):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05 + 0.037 * moment)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
        asyncio.run(check())


async def _upper(room: ImageRoom, ref: str, change: str) -> tuple[Path, tuple[str, ...]]:
    """A container's directory after a shell command on its mounted root (run from the host, on the host's own tools)."""
    record = room.images.store.resolve(ref)
    place = room.layout.container("c")
    target = room.layout.bundle("c") / "rootfs"
    await room.images.snapshots.mount("c", room.images.layers.paths(record), target, upper=place / "upper", work=place / "work")
    try:
        await asyncio.to_thread(subprocess.run, ["sh", "-ec", change], cwd=target, check=True, timeout=patient(20))
    finally:
        await room.images.snapshots.unmount(target)
    return place / "upper", record.chain_ids


@pytest.mark.parametrize("move", [True, False])
def test_commit(tmp_path: Path, move: bool) -> None:
    change = (
        "rm etc/group; rm -r home; mkdir home; echo h > home/h; echo n > etc/new; chmod 4755 bin/idle; ln etc/new etc/other; chown 5:6 etc"
    )

    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive())
            upper, chain = await _upper(room, "bb", change)
            layer = await room.images.layers.commit(upper, chain, move=move)
            assert upper.exists() is not move
            (path,) = [room.images.layers.path(layer.chain_id)]
            assert (path / "etc/new").stat().st_nlink == 2
            assert (path / "bin/idle").stat().st_mode == 0o104755
            assert ((path / "etc").stat().st_uid, (path / "etc").stat().st_gid) == (5, 6)
            assert os.getxattr(path / "home", "trusted.overlay.opaque") == b"y"
            await room.images.store.sweep()
            assert room.images.layers.has(layer.chain_id), "a fresh layer is kept until an image has it"

    asyncio.run(run())


def test_a_committed_layer_is_the_same_when_loaded_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path / "a") as room:
            await room.load(busybox_archive())
            upper, chain = await _upper(room, "bb", "rm etc/group; echo n > etc/new; mkdir -m 700 d")
            layer = await room.images.layers.commit(upper, chain)
            tar = room.images.blobs.path(layer.blob.digest).read_bytes()
        async with image_room(tmp_path / "b") as room:
            await room.load(busybox_archive(layers=[tar]))
            again = room.images.layers.path(layer.chain_id)
            assert (again / "etc/group").is_char_device()
            assert (again / "d").stat().st_mode == 0o40700

    asyncio.run(run())
