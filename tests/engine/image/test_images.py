"""The engine's images as users and clients see them."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from pathlib import Path

import pytest

from composer.engine.errors import Conflict, InvalidArgument, NotFound, Unsupported
from composer.engine.model import BuildConfig, ImageDeleted
from tests.fixtures.busybox import busybox_archive
from tests.fixtures.images import chunks, image_room, said

pytestmark = pytest.mark.root


def test_resolve(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:latest"), busybox_archive("a/bb:2", env=["A=2"]))
            store = room.images.store
            first, second = store.resolve("bb"), store.resolve("docker.io/a/bb:2")
            assert store.resolve(first.id) == store.resolve(first.id[7:]) == store.resolve(first.id[7:19]) == first
            assert store.resolve("bb:latest") == store.resolve("library/bb") == first
            assert second.process.env[-1] == "A=2"
            for ref, shown in (("nix", "nix:latest"), ("bb:3", "bb:3"), ("sha256:" + "0" * 64, "sha256:" + "0" * 64)):
                with pytest.raises(NotFound, match=f"No such image: {shown}$"):
                    store.resolve(ref)
            with pytest.raises(InvalidArgument, match="invalid reference format"):
                store.resolve("A B")

    asyncio.run(run())


def test_list_and_filters(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:1", labels={"a": "1"}), busybox_archive("x/bb:2", env=["A=2"]), busybox_archive("bb:1"))
            room.used[room.images.store.resolve("bb:1").id] = ["web"]

            async def tags(**filters: list[str]) -> list[str]:
                return sorted(tag for row in await room.images.list(filters=filters) for tag in row.repo_tags or ("<none>",))

            assert await tags() == ["<none>", "bb:1", "x/bb:2"]
            assert await tags(dangling=["true"]) == ["<none>"]
            assert await tags(dangling=["false"]) == ["bb:1", "x/bb:2"]
            assert await tags(label=["a=1"]) == ["<none>"]
            assert await tags(reference=["*/bb"]) == ["x/bb:2"]
            assert await tags(reference=["bb:*"]) == ["bb:1"]
            assert await tags(until=["1h"]) == ["<none>", "bb:1", "x/bb:2"]
            assert await tags(since=["bb:1"]) == []
            with pytest.raises(InvalidArgument, match="invalid filter 'color'"):
                await tags(color=["red"])
            row = next(row for row in await room.images.list() if row.repo_tags == ("bb:1",))
            assert (row.containers, row.created) == (1, 1700000000)
            assert row.size > 1_900_000

    asyncio.run(run())


def test_tag_and_remove(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:1"))
            images = room.images
            record = images.store.resolve("bb:1")
            await images.tag("bb:1", "other:2")
            with pytest.raises(InvalidArgument, match="refusing to create a tag with a digest reference"):
                await images.tag("bb:1", "other@sha256:" + "0" * 64)
            assert await images.remove("bb:1") == [ImageDeleted(untagged="bb:1")]
            assert room.tags() == ["other:2"]
            assert await images.remove("other:2") == [
                ImageDeleted(untagged="other:2"),
                ImageDeleted(deleted=record.id),
                ImageDeleted(deleted=record.chain_ids[0]),
            ]
            assert room.images.blobs.stored() == os.listdir(room.layout.layers) == os.listdir(room.layout.temporary) == []
            assert [action for action, _ in room.actions()] == ["load", "tag", "untag", "untag", "delete"]
            with pytest.raises(NotFound):
                await images.remove("other:2")

    asyncio.run(run())


def test_an_image_in_use(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:1"))
            record = room.images.store.resolve("bb:1")
            room.used[record.id] = ["web"]
            with pytest.raises(Conflict, match="container web is using its referenced image"):
                await room.images.remove("bb:1")
            await room.images.remove("bb:1", force=True)
            assert await room.images.list() == []
            with pytest.raises(NotFound):
                room.images.store.resolve("bb:1")
            assert room.images.layers.paths(room.images.store.resolve(record.id))[0].exists(), "the container keeps its layers"
        async with image_room(tmp_path, used={record.id: ["web"]}) as room:
            assert room.images.layers.paths(room.images.store.resolve(record.id))[0].exists()
            room.used.clear()
            assert (await room.images.prune()).space_reclaimed > 1_900_000
            assert os.listdir(room.layout.layers) == []

    asyncio.run(run())


def test_prune(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:1", env=["A=1"]), busybox_archive("bb:1"), busybox_archive("x:1", labels={"keep": "1"}))
            report = await room.images.prune()
            assert len(report.deleted) == 1, "the base layer is shared"
            assert room.tags() == ["bb:1", "x:1"]
            await room.images.prune({"dangling": ["false"], "label!": ["keep"]})
            assert room.tags() == ["x:1"]
            room.used[room.images.store.resolve("x:1").id] = ["web"]
            assert (await room.images.prune({"dangling": ["false"]})).deleted == ()
            room.used.clear()
            report = await room.images.prune({"dangling": ["false"]})
            assert report.deleted[0] == "x:1"
            assert os.listdir(room.layout.layers) == []

    asyncio.run(run())


def test_a_sweep_leaves_what_is_on_its_way_in(tmp_path: Path) -> None:
    """Loads and removals at once: no load loses a layer or a blob to the sweep of a removal."""

    async def run() -> None:
        async with image_room(tmp_path) as room:

            async def churn(number: int) -> None:
                for turn in range(4):
                    await room.load(busybox_archive(f"t{number}:1", files={"f": b"%d" % (turn % 2)}))
                    paths = room.images.layers.paths(room.images.store.resolve(f"t{number}:1"))
                    assert all(path.exists() for path in paths)
                    await room.images.remove(f"t{number}:1", force=True)

            await asyncio.gather(*(churn(number) for number in range(4)))
            await room.images.store.sweep()
            assert room.images.blobs.stored() == os.listdir(room.layout.layers) == []

    asyncio.run(run())


def test_history_and_inspect(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            archive = busybox_archive("bb:1", files={"f": b"12345"}, env=["A=1"], exposed_ports=["80/tcp"], volumes=["/data"], user="app")
            await room.load(archive)
            rows = await room.images.history("bb:1")
            assert [row.size for row in rows] == [0, 5, rows[2].size]
            shown = await room.images.inspect("bb:1")
            assert (shown.config.user, shown.config.exposed_ports, shown.config.volumes) == ("app", {"80/tcp": {}}, {"/data": {}})
            assert shown.graph_driver.data["UpperDir"].startswith(str(room.layout.layers))

    asyncio.run(run())


def test_import(tmp_path: Path) -> None:
    async def run() -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            info = tarfile.TarInfo("./etc/hello")
            info.size = 2
            tar.addfile(info, io.BytesIO(b"hi"))
        async with image_room(tmp_path) as room:
            told = await said(room.images.import_(chunks(buffer.getvalue()), "imp:1", changes=['CMD ["sh"]', "ENV A=b"], message="by hand"))
            record = room.images.store.resolve("imp:1")
            assert told == [record.id]
            assert (record.process.cmd, record.process.env) == (("sh",), ("A=b",))
            assert (room.images.layers.paths(record)[0] / "etc/hello").read_text() == "hi"
            assert (await room.images.inspect("imp:1")).comment == "by hand"
            with pytest.raises(InvalidArgument, match="not a valid change"):
                await said(room.images.import_(chunks(buffer.getvalue()), "x", changes=["RUN x"]))

    asyncio.run(run())


def test_building_needs_a_builder(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            with pytest.raises(Unsupported):
                await said(room.images.build(BuildConfig(context="/")))

    asyncio.run(run())
