"""Pull and push against Debian's docker-registry on loopback, open and with a password."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from composer.engine.errors import NotFound, Unauthorized, Unavailable
from composer.engine.model import RegistryAuth
from tests.engine.image.test_load_save import EXPECTED, layered, merged, oci_archive
from tests.fixtures.busybox import busybox_archive, docker_archive
from tests.fixtures.images import image_room, said
from tests.fixtures.patience import patient

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed"),
]
AUTH = RegistryAuth(username="me", password="secret")
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(directory: Path, extra: str = "") -> Iterator[str]:
    port = free_port()
    (directory / "config.yml").write_text(CONFIG.format(root=directory / "data", port=port) + extra)
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", directory / "config.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (directory / "log").read_text()
                assert process.poll() is None, (directory / "log").read_text()
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("htpasswd") is None:
        pytest.skip("htpasswd (apache2-utils) is not installed")
    directory = tmp_path_factory.mktemp("closed")
    line = subprocess.run(["htpasswd", "-nbB", "-C", "4", "me", "secret"], check=True, capture_output=True, timeout=patient(20)).stdout
    (directory / "users").write_bytes(line)
    yield from serve(directory, f"auth: {{htpasswd: {{realm: here, path: {directory / 'users'}}}}}\n")


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_there_and_back(tmp_path: Path, registry: str, form: str) -> None:
    name = f"{registry}/there/{form}:1"

    async def run() -> None:
        async with image_room(tmp_path / "one") as room:
            await room.load(docker_archive(layered()) if form == "docker" else oci_archive(layered()))
            await room.images.tag("layers", name)
            told = await said(room.images.push(name))
            assert told[0] == f"The push refers to repository [{registry}/there/{form}]"
            assert sum(line.endswith(": Pushed") for line in told) == 3
            digest = next(line for line in told if line.startswith("1: digest: ")).split()[2]
            again = await said(room.images.push(name))
            assert sum(line.endswith("Layer already exists") for line in again) == 3
            record = room.images.store.resolve(name)
            assert record.digests == (f"{registry}/there/{form}@{digest}",)
            known = await room.images.distribution(name)
            assert known.descriptor.digest == digest
            assert known.descriptor.media_type.endswith(("manifest.v1+json", "manifest.v2+json"))
            assert [platform.os for platform in known.platforms] == ["linux"]
            assert await room.images.distribution(f"{registry}/there/{form}@{digest}") == known
            with pytest.raises(NotFound, match="manifest unknown"):
                await room.images.distribution(f"{registry}/there/{form}:other")
            assert ("push", f"{registry}/there/{form}") in room.actions()
        async with image_room(tmp_path / "two") as room:
            told = await said(room.images.pull(name))
            assert told[0] == f"1: Pulling from there/{form}"
            assert sum(line.endswith("Pulling fs layer") for line in told) == sum(line.endswith("Pull complete") for line in told) == 3
            assert told[-2:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}"]
            assert room.images.store.resolve(name).id == record.id
            assert room.images.store.resolve(f"{registry}/there/{form}@{digest}").id == record.id
            assert await merged(room, name) == EXPECTED
            again = await said(room.images.pull(name))
            assert sum(line.endswith("Already exists") for line in again) == 3
            assert again[-1] == f"Status: Image is up to date for {name}"
            assert [event.actor.id for event in room.events if event.action == "pull"] == [name, name]
        async with image_room(tmp_path / "three") as room:
            await said(room.images.pull(f"{registry}/there/{form}@{digest}"))
            assert room.tags() == []
            assert len(room.images.store.all()) == 1

    asyncio.run(run())


def test_layers_are_mounted_from_another_repository(tmp_path: Path, registry: str) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive("bb:1"), busybox_archive("bb:2", env=["A=2"]))
            await room.images.tag("bb:1", f"{registry}/mount/one")
            await room.images.tag("bb:2", f"{registry}/mount/two")
            await said(room.images.push(f"{registry}/mount/one"))
            told = await said(room.images.push(f"{registry}/mount/two"))
            assert any(line.endswith("Mounted from mount/one") for line in told)

    asyncio.run(run())


def test_a_layer_that_is_here_under_another_compression(tmp_path: Path, registry: str) -> None:
    async def run() -> None:
        name = f"{registry}/other/compression"
        async with image_room(tmp_path / "one") as room:
            await room.load(docker_archive(layered(name)))
            await said(room.images.push(name))
        async with image_room(tmp_path / "two") as room:
            await room.load(busybox_archive("bb:1"))
            told = await said(room.images.pull(name))
            assert sum(line.endswith("Already exists") for line in told) == 1
            assert await merged(room, name) == EXPECTED
            await room.images.tag(name, f"{name}-again")
            await said(room.images.push(f"{name}-again"))
            async for _ in room.images.save([name]):
                pass

    asyncio.run(run())


def test_many_pulls_of_one_image_at_once(tmp_path: Path, registry: str) -> None:
    async def run() -> None:
        name = f"{registry}/many/bb:1"
        async with image_room(tmp_path / "one") as room:
            await room.load(busybox_archive(name))
            await said(room.images.push(name))
        async with image_room(tmp_path / "two") as room:
            told = await asyncio.gather(*(said(room.images.pull(name)) for _ in range(5)))
            assert sum(lines[-1].startswith("Status: Downloaded") for lines in told) == 1
            assert len(os.listdir(room.layout.layers)) == 1
            assert os.listdir(room.layout.temporary) == []

    asyncio.run(run())


def test_docker_s_words_for_what_is_not_there(tmp_path: Path, registry: str) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            with pytest.raises(NotFound, match=f"manifest for {registry}/nix:1 not found: manifest unknown: manifest unknown"):
                await said(room.images.pull(f"{registry}/nix:1"))
            port = free_port()
            with pytest.raises(Unavailable, match=rf"dial tcp 127.0.0.1:{port}: connect: connection refused"):
                await said(room.images.pull(f"127.0.0.1:{port}/x"))
            with pytest.raises(NotFound, match=f"An image does not exist locally with the tag: {registry}/nix"):
                await said(room.images.push(f"{registry}/nix"))

    asyncio.run(run())


def test_a_password(tmp_path: Path, closed_registry: str) -> None:
    name = f"{closed_registry}/closed/bb:1"

    async def run() -> None:
        async with image_room(tmp_path / "one") as room:
            await room.load(busybox_archive(name))
            with pytest.raises(Unauthorized, match="no basic auth credentials"):
                await said(room.images.push(name))
            with pytest.raises(Unauthorized):
                await said(room.images.push(name, auth=RegistryAuth(username="me", password="wrong")))
            await said(room.images.push(name, auth=AUTH))
        async with image_room(tmp_path / "two") as room:
            with pytest.raises(Unauthorized, match="no basic auth credentials"):
                await said(room.images.pull(name))
            with pytest.raises(NotFound, match=r"pull access denied for .*, repository does not exist or may require 'docker login'"):
                await said(room.images.pull(name, auth=RegistryAuth(username="me", password="wrong")))
            await said(room.images.pull(name, auth=RegistryAuth(auth="bWU6c2VjcmV0")))
            assert room.tags() == [name]

    asyncio.run(run())
