"""Loading and saving archives: both formats, compressed or not, several images, damage; what is saved can be loaded."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import resource
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from composer.engine.errors import EngineError, InvalidArgument
from tests.fixtures.busybox import LayerTar, TestImage, busybox_archive, busybox_layer, docker_archive
from tests.fixtures.images import ImageRoom, chunks, collect, image_room

pytestmark = pytest.mark.root


def layered(name: str = "layers:latest") -> TestImage:
    """Three layers: a base, additions, and whiteouts over both."""
    second = LayerTar()
    second.directory("data")
    second.add("data/a", b"a1")
    second.add("data/b", b"b1")
    second.add("data/opq/old", b"old")
    second.add("tmp/x", b"x")
    third = LayerTar()
    third.add("data/.wh.b")
    third.add("data/opq/.wh..wh..opq")
    third.add("data/opq/new", b"new")
    third.add("data/a", b"a2")
    return TestImage(name, {"Cmd": ["sh"]}, [busybox_layer(), second.done(), third.done()])


def oci_archive(image: TestImage, compress: Callable[[bytes], bytes] = gzip.compress, suffix: str = "+gzip", nested: bool = False) -> bytes:
    """An OCI image layout; ``nested``: behind an index, beside an image of another platform."""
    blobs: dict[str, bytes] = {}

    def put(kind: str, data: bytes, **more: Any) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(data), **more}

    layers = [put(f"layer.v1.tar{suffix}", compress(layer)) for layer in image.layers]
    manifest = {"schemaVersion": 2, "config": put("config.v1+json", image.config_json()), "layers": layers}
    described = put("manifest.v1+json", json.dumps(manifest).encode(), platform={"os": "linux", "architecture": "amd64"})
    if nested:
        other = {
            "mediaType": described["mediaType"],
            "digest": "sha256:" + "0" * 64,
            "size": 1,
            "platform": {"os": "linux", "architecture": "s390x"},
        }
        index = {"schemaVersion": 2, "manifests": [other, described]}
        described = put("index.v1+json", json.dumps(index).encode())
    described["annotations"] = {"org.opencontainers.image.ref.name": image.name}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        files = {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps({"schemaVersion": 2, "manifests": [described]}).encode(),
        }
        for name, data in {**files, **{f"blobs/sha256/{digest[7:]}": data for digest, data in blobs.items()}}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def merged(room: ImageRoom, ref: str) -> dict[str, object]:
    """What a container of the image would see beneath /data and /tmp."""
    target, work = room.layout.run / "merged", room.layout.root / "merged"
    lowers = room.images.layers.paths(room.images.store.resolve(ref))
    await room.images.snapshots.mount("test", lowers, target, upper=work / "upper", work=work / "work")
    try:
        files = {str(p.relative_to(target)): p.read_text() for p in (target / "data").rglob("*") if p.is_file()}
        return {**files, "tmp": oct((target / "tmp").stat().st_mode), "top": oct(target.stat().st_mode)}
    finally:
        await room.images.snapshots.unmount(target)


PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.system", "pty.spawn")
EXPECTED = {"data/a": "a2", "data/opq/new": "new", "tmp": "0o41777", "top": "0o40755"}
ARCHIVES = {
    "docker": lambda: docker_archive(layered()),
    "docker, gzip": lambda: gzip.compress(docker_archive(layered())),
    "docker, xz": lambda: lzma.compress(docker_archive(layered()), preset=0),
    "docker, bzip2": lambda: bz2.compress(docker_archive(layered()), 1),
    "oci": lambda: oci_archive(layered()),
    "oci, zstd": lambda: zstandard.compress(oci_archive(layered(), zstandard.compress, "+zstd")),
    "oci, plain": lambda: oci_archive(layered(), lambda data: data, ""),
    "oci, index": lambda: oci_archive(layered(), nested=True),
}


@pytest.mark.parametrize("form", ARCHIVES)
def test_load(tmp_path: Path, form: str) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            assert await room.load(ARCHIVES[form]()) == ["Loaded image: layers:latest"]
            assert await merged(room, "layers") == EXPECTED
            assert room.actions() == [("load", "layers:latest")]
            assert os.listdir(room.layout.temporary) == []
        async with image_room(tmp_path) as room:  # the daemon starts again
            assert room.tags() == ["layers:latest"]
            assert await merged(room, "layers") == EXPECTED

    asyncio.run(run())


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_what_is_saved_is_what_was_loaded(tmp_path: Path, form: str) -> None:
    async def run() -> None:
        async with image_room(tmp_path / "one") as room:
            await room.load(ARCHIVES[form](), busybox_archive("bb:1"))
            await room.images.tag("bb:1", "other/bb:2")
            data = await collect(room.images.save(["layers", "bb:1", "other/bb:2"]))
            ids = {record.id for record in room.images.store.all()}
            assert await collect(room.images.save(["layers", "bb:1", "other/bb:2"])) == data
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            names = tar.getnames()
            images = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert len(names) == len(set(names)), "shared layers are there once"
        assert [image["RepoTags"] for image in images] == [["layers:latest"], ["bb:1", "other/bb:2"]]
        async with image_room(tmp_path / "two") as room:
            await room.load(data)
            assert {record.id for record in room.images.store.all()} == ids
            assert room.tags() == ["bb:1", "docker.io/other/bb:2", "layers:latest"]
            assert await merged(room, "layers") == EXPECTED
        without_docker = _without(data, "manifest.json")
        async with image_room(tmp_path / "three") as room:
            await room.load(without_docker)
            assert {record.id for record in room.images.store.all()} == ids

    asyncio.run(run())


def _without(data: bytes, left_out: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as source, tarfile.open(fileobj=buffer, mode="w") as target:
        for member in source:
            if member.name != left_out:
                target.addfile(member, source.extractfile(member))
    return buffer.getvalue()


def test_no_program_is_run(tmp_path: Path) -> None:
    """Trap 10: neither of the image (which may bring its own xz and tar) nor of the host; all is undone in this process."""
    started: list[str] = []
    listening = [True]
    sys.addaudithook(lambda name, args: started.append(name) if listening[0] and name in PROGRAMS else None)

    async def run() -> None:
        async with image_room(tmp_path) as room:
            for form in ("docker, xz", "docker, bzip2", "oci, zstd", "docker, gzip"):
                await room.load(ARCHIVES[form]())
            await collect(room.images.save(["layers"]))

    try:
        asyncio.run(run())
    finally:
        listening[0] = False
    assert started == []


def test_layers_are_shared_and_unpacked_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            archives = [busybox_archive(f"bb:{n}", env=[f"N={n}"]) for n in range(6)]
            await asyncio.gather(*(room.load(archive) for archive in archives))
            assert len(room.images.store.all()) == 6
            assert len(os.listdir(room.layout.layers)) == 1

    asyncio.run(run())


def test_a_tag_moves_to_the_later_image(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:1", env=["A=1"]), busybox_archive("bb:1", env=["A=2"]))
            first, second = sorted(room.images.store.all(), key=lambda record: record.process.env)
            assert (first.tags, second.tags) == ((), ("docker.io/library/bb:1",))
            assert await room.load(docker_archive(TestImage("", {"Cmd": ["x"]}, [busybox_layer()]))) == [
                f"Loaded image ID: {next(r.id for r in room.images.store.all() if r.process.cmd == ('x',))}"
            ]

    asyncio.run(run())


def _broken(change: Callable[[dict[str, bytes]], None]) -> bytes:
    members: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(docker_archive(layered()))) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            members[member.name] = file.read()
    change(members)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _first(members: dict[str, bytes], suffix: str) -> str:
    return next(name for name in members if name.endswith(suffix) and name != "manifest.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("manifest.json"), "neither manifest.json"),
        (lambda m: m.update({"manifest.json": b"{"}), "manifest.json: it is not JSON"),
        (lambda m: m.update({"manifest.json": b"{}"}), "manifest.json is not a list"),
        (lambda m: m.update({"manifest.json": b'[{"Config": 5}]'}), "without Config or Layers"),
        (lambda m: m.pop(_first(m, ".json")), "is missing"),
        (lambda m: m.pop(_first(m, "layer.tar")), "is missing"),
        (lambda m: m.update({_first(m, ".json"): b'{"rootfs": {"diff_ids": ["sha256:../../x"]}}'}), "invalid digest"),
        (lambda m: m.update({_first(m, "layer.tar"): busybox_layer()[:-1024] + bytes(4096)}), "layer verification failed"),
        (lambda m: m.update({_first(m, "layer.tar"): b"no tar at all" * 500}), "invalid tar header"),
    ],
)
def test_damaged_archives(tmp_path: Path, change: Callable[[dict[str, bytes]], None], words: str) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            with pytest.raises(InvalidArgument, match=words):
                await room.load(_broken(change))
            assert room.images.store.all() == []
            assert os.listdir(room.layout.temporary) == []
            await room.images.store.sweep()
            assert room.images.blobs.stored() == []
            assert os.listdir(room.layout.layers) == []

    asyncio.run(run())


def test_cut_short_and_cancelled(tmp_path: Path) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield busybox_archive()[:1_000_000]
        await asyncio.Event().wait()

    async def run() -> None:
        async with image_room(tmp_path) as room:
            with pytest.raises(EngineError, match="cut short"):
                await room.load(busybox_archive()[:1_500_000])
            task = asyncio.ensure_future(collect_stream(room, stalled()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert os.listdir(room.layout.temporary) == []

    asyncio.run(run())


async def collect_stream(room: ImageRoom, stream: AsyncIterator[bytes]) -> None:
    async for _ in room.images.load(stream):
        pass


@pytest.mark.slow
def test_a_large_image_takes_little_memory_and_seconds(tmp_path: Path) -> None:
    async def run() -> None:
        layer = LayerTar()
        for number in range(8):
            layer.add(f"f{number}", os.urandom(1 << 20) * 20)
        archive = docker_archive(TestImage("large:1", {}, [layer.done()]))
        async with image_room(tmp_path) as room:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            start = asyncio.get_running_loop().time()
            async for _ in room.images.load(chunks(archive, 1 << 20)):
                pass
            assert asyncio.get_running_loop().time() - start < 20
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "KB: never a whole layer in memory"

    asyncio.run(run())
