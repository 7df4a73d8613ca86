"""Overlay mounts: many layers, odd paths, volatile twice, what changed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from composer.engine.errors import EngineError
from composer.engine.local.image.snapshot import Snapshots
from composer.engine.local.layout import Layout
from composer.engine.local.linux import mount as mounts
from composer.engine.model import Change

pytestmark = pytest.mark.root


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state", tmp_path / "run")
    made.make()
    return made


def layers(layout: Layout, count: int) -> list[Path]:
    """``count`` layers, topmost first; each has a file of its own and says its number in ``top``."""
    found = []
    for number in range(count):
        path = layout.layers / f"{number:04d}-{'x' * 50}"
        path.mkdir()
        (path / f"f{number}").touch()
        (path / "top").write_text(str(number))
        found.insert(0, path)
    return found


@pytest.mark.parametrize("count", [1, 2, 69, 200])
def test_many_layers(layout: Layout, count: int) -> None:
    async def run() -> None:
        target, place = layout.run / "t", layout.container("c")
        await Snapshots(layout).mount("c", layers(layout, count), target, upper=place / "upper", work=place / "work")
        assert len(os.listdir(target)) == count + 1
        assert (target / "top").read_text() == str(count - 1)
        await Snapshots(layout).unmount(target)
        await Snapshots(layout).unmount(target)
        assert os.listdir(target) == []

    asyncio.run(run())


@pytest.mark.parametrize("count", [1, 3])
def test_read_only(layout: Layout, count: int) -> None:
    async def run() -> None:
        target = layout.run / "t"
        await Snapshots(layout).mount("c", layers(layout, count), target, upper=None, work=None)
        with pytest.raises(OSError, match="Read-only"):
            (target / "new").touch()
        await Snapshots(layout).unmount(target)

    asyncio.run(run())


def test_an_image_without_layers(layout: Layout) -> None:
    async def run() -> None:
        target, place = layout.run / "t", layout.container("c")
        await Snapshots(layout).mount("c", [], target, upper=place / "upper", work=place / "work")
        (target / "new").touch()
        await Snapshots(layout).unmount(target)
        assert os.listdir(place / "upper") == ["new"]

    asyncio.run(run())


def test_a_volatile_snapshot_is_mounted_again_with_its_content(layout: Layout) -> None:
    async def run() -> None:
        target, place = layout.run / "t", layout.container("c")
        lowers = layers(layout, 2)
        for turn in range(3):
            await Snapshots(layout).mount("c", lowers, target, upper=place / "upper", work=place / "work")
            (target / f"turn{turn}").touch()
            assert (target / "turn0").exists()
            await Snapshots(layout).unmount(target)

    asyncio.run(run())


def test_the_old_way_of_mounting(layout: Layout) -> None:
    """What kernels without lowerdir+ get."""
    snapshots, target, place = Snapshots(layout), layout.run / "t", layout.container("c")
    for path in (target, place / "upper", place / "work"):
        path.mkdir(parents=True)
    options = [("upperdir", str(place / "upper")), ("workdir", str(place / "work")), ("volatile", None)]
    snapshots._mount_old(layers(layout, 300), target, options)
    try:
        assert len(os.listdir(target)) == 301
        assert (target / "top").read_text() == "299"
    finally:
        mounts.unmount_beneath(target)
    assert os.listdir(layout.temporary) == []


def test_what_cannot_be_mounted_is_told(layout: Layout) -> None:
    async def run() -> None:
        with pytest.raises(EngineError, match="cannot mount the file system of c"):
            await Snapshots(layout).mount("c", [layout.layers / "no", layout.layers / "nein"], layout.run / "t", upper=None, work=None)

    asyncio.run(run())


def test_changes_and_usage(layout: Layout) -> None:
    async def run() -> None:
        target, place = layout.run / "t", layout.container("c")
        lowers = layers(layout, 2)
        (lowers[1] / "dir").mkdir()
        (lowers[1] / "dir/old").write_text("x")
        (lowers[1] / "link").symlink_to("dir")
        await Snapshots(layout).mount("c", lowers, target, upper=place / "upper", work=place / "work")
        (target / "f0").unlink()
        (target / "f1").write_text("changed")
        (target / "dir/old").unlink()
        (target / "dir/new").write_text("12345")
        (target / "link").unlink()
        (target / "link").mkdir()
        (target / "link/old").touch()
        await Snapshots(layout).unmount(target)
        found = Snapshots(layout).changes(place / "upper", lowers)
        assert [(change.kind, change.path) for change in found] == [
            (0, "/dir"),
            (1, "/dir/new"),
            (2, "/dir/old"),
            (2, "/f0"),
            (0, "/f1"),
            (0, "/link"),
            (1, "/link/old"),
        ]
        assert Snapshots(layout).usage(place / "upper") == 12
        assert Change(path="/f0", kind=2) in found

    asyncio.run(run())
