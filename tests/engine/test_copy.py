"""cp, export, changes, commit: files of containers, running or not; and that no link in one leads out of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local.engine import LocalEngine
from composer.engine.model import ContainerConfig, HostConfig, LogOptions
from tests.conftest import Opened, run

pytestmark = pytest.mark.root


def tar_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.gid, info.mode = len(data), 4242, 4343, 0o640
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def put(e: LocalEngine, path: str, data: bytes, **options: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    await e.containers.put_archive("cc", path, chunks(), **options)


async def get(e: LocalEngine, path: str) -> dict[str, bytes]:
    data = b"".join([chunk async for chunk in e.containers.get_archive("cc", path)])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: (tar.extractfile(m) or io.BytesIO()).read() if m.isreg() else b"" for m in tar}


@pytest.mark.parametrize("running", [True, False])
def test_files_in_and_out(engine: Opened, running: bool) -> None:
    async def main() -> None:
        async with engine() as e:
            host = HostConfig(network_mode="none", binds=("vol:/vol", "ro:/ro:ro"))
            await e.containers.create(ContainerConfig(image="bb", cmd=("idle",), host_config=host), "cc")
            if running:
                await e.containers.start("cc")
            await put(e, "/tmp", tar_of(a=b"A"))
            await put(e, "/vol", tar_of(b=b"B"))
            assert await get(e, "/tmp/a") == {"a": b"A"}
            assert await get(e, "/vol") == {"vol": b"", "vol/b": b"B"}
            assert (await e.containers.stat_path("cc", "/etc")).mode >> 31 == 1
            link = await e.containers.stat_path("cc", "/usr/bin/env")
            assert (link.name, link.link_target) == ("env", "/bin/busybox")
            with pytest.raises(NotFound, match="Could not find the file /nowhere in container cc"):
                await get(e, "/nowhere")
            with pytest.raises(NotFound, match="Could not find the file /no/such in container cc"):
                await put(e, "/no/such", tar_of(a=b""))
            with pytest.raises(InvalidArgument, match="not a directory"):
                await put(e, "/etc/passwd", tar_of(a=b""))
            with pytest.raises(InvalidArgument, match="read-only"):
                await put(e, "/ro", tar_of(a=b""))
            assert (Path((await e.volumes.inspect("vol")).mountpoint) / "b").read_bytes() == b"B"
            if not running:
                await e.containers.start("cc")
            await e.containers.kill("cc")
            changed = {c.path for c in await e.containers.changes("cc")}
            assert {"/tmp", "/tmp/a", "/vol"} <= changed
            assert "/vol/b" not in changed

    run(main())


def test_no_link_leads_out(engine: Opened, tmp_path: Path) -> None:
    """Trap 10: a hostile container cannot make cp read or write the host's files."""
    (tmp_path / "secret").write_text("host")

    async def main() -> None:
        async with engine() as e:
            script = f"ln -s {tmp_path} /esc; ln -s ../../../../../../../..{tmp_path} /up; ln -s /proc/1/root /magic; idle"
            config = ContainerConfig(image="bb", cmd=("sh", "-c", script), host_config=HostConfig(network_mode="none"))
            await e.containers.create(config, "cc")
            await e.containers.start("cc")

            async def linked() -> bool:
                try:
                    return bool(await e.containers.stat_path("cc", "/magic"))
                except NotFound:
                    return False

            from tests.conftest import eventually

            await eventually(linked)
            for alive in (True, False):
                for path in ("/esc/secret", "/up/secret", f"/magic{tmp_path}/secret"):
                    with pytest.raises(Exception, match=r"Could not find|cannot look"):
                        await get(e, path)
                for path in ("/esc", "/up"):
                    with pytest.raises(NotFound):
                        await put(e, path, tar_of(made=b"x"))
                if alive:
                    await e.containers.kill("cc")
            assert [p.name for p in tmp_path.iterdir()] == ["secret"]

    run(main())


def test_export_and_commit(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            host = HostConfig(network_mode="none", binds=("vol:/vol",))
            config = ContainerConfig(image="bb", cmd=("sh", "-c", "echo new >/file; echo v >/vol/v; rm /etc/os-release"), host_config=host)
            await e.containers.create(config, "cc")
            await e.containers.start("cc")
            await e.containers.wait("cc")
            data = b"".join([chunk async for chunk in e.containers.export("cc")])
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                names = {name.lstrip("./") for name in tar.getnames()}
            assert {"file", "bin/busybox"} <= names
            assert not {"vol/v", "etc/os-release"} & names
            ident = await e.containers.commit("cc", repo="mine:1", changes=['CMD ["cat", "/file"]', "ENV A=b"])
            image = await e.images.inspect("mine:1")
            assert image.id == ident
            assert "A=b" in image.config.env
            await e.containers.create(ContainerConfig(image="mine:1", host_config=HostConfig(network_mode="none")), "dd")
            await e.containers.start("dd")
            assert (await e.containers.wait("dd")).status_code == 0
            assert [f.data async for f in e.containers.logs("dd", LogOptions())] == [b"new\n"]
            kinds = {c.path: c.kind for c in await e.containers.changes("cc")}
            assert kinds["/file"] == 1
            assert kinds["/etc/os-release"] == 2

    run(main())
