"""Volumes and mounts of real containers: copy-up, binds, sub-paths, sharing, use counts; and that nothing outside is ever deleted."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotFound
from composer.engine.local.engine import LocalEngine
from composer.engine.model import BindOptions, ContainerConfig, HostConfig, LogOptions, Mount, TmpfsOptions, VolumeConfig, VolumeOptions
from tests.conftest import Opened, load, run
from tests.fixtures.busybox import LayerTar, busybox_archive

pytestmark = pytest.mark.root


async def output(
    e: LocalEngine, script: str, *, name: str = "cc", image: str = "bb", keep: bool = False, user: str = "", **host: object
) -> str:
    config = ContainerConfig(image=image, cmd=("sh", "-c", script), user=user, host_config=HostConfig(network_mode="none").replace(**host))
    ident = (await e.containers.create(config, name)).id
    await e.containers.start(ident)
    await e.containers.wait(ident)
    text = b"".join([f.data async for f in e.containers.logs(ident, LogOptions())]).decode()
    if not keep:
        await e.containers.remove(ident, volumes=True)
    return text


def content_layer() -> bytes:
    layer = LayerTar()
    layer.directory("data", 0o750, uid=70, gid=70)
    layer.add("data/one", b"1", mode=0o4755, uid=1234, gid=1235)
    layer.hardlink("data/two", "data/one")
    layer.symlink("data/link", "/etc/passwd")
    layer.directory("data/sub", 0o1777)
    layer.add("data/sub/deep", b"deep", xattrs={"user.colour": "blue"})
    return layer.done()


def test_first_use_copies_the_images_content(engine: Opened) -> None:
    async def main() -> None:
        async with engine(image=busybox_archive(layers=[content_layer()])) as e:
            script = "cd /data; stat -c '%n %a %u:%g %h' . one two sub; readlink link; cat sub/deep; echo; echo new >added"
            expected = ". 750 70:70 3\none 4755 1234:1235 2\ntwo 4755 1234:1235 2\nsub 1777 0:0 2\n/etc/passwd\ndeep\n"
            assert await output(e, script, binds=("vol:/data",)) == expected
            data = Path((await e.volumes.inspect("vol")).mountpoint)
            assert os.getxattr(data / "sub/deep", "user.colour") == b"blue"
            assert (data / "one").stat().st_ino == (data / "two").stat().st_ino
            (data / "one").unlink()
            assert await output(e, "ls /data", binds=("vol:/data",)) == "added\nlink\nsub\ntwo\n"  # not again
            assert await output(e, "ls /data", binds=("other:/data:nocopy",)) == ""

    run(main())


def test_a_link_in_the_image_leads_nowhere_else(engine: Opened) -> None:
    """Trap 10: copy-up resolves beneath the image's root; the host's files are not copied."""
    layer = LayerTar()
    layer.symlink("evil", "/etc")
    layer.symlink("up", "../../../../../../etc")

    async def main() -> None:
        async with engine(image=busybox_archive(layers=[layer.done()])) as e:
            for place in ("evil", "up"):
                text = await output(e, f"ls /{place}/", binds=(f"v-{place}:/{place}",))
                assert "os-release" in text  # the image's own /etc
                assert not (Path((await e.volumes.inspect(f"v-{place}")).mountpoint) / "machine-id").exists()

    run(main())


def test_anonymous_volumes_go_with_their_container(engine: Opened) -> None:
    async def main() -> None:
        async with engine(image=busybox_archive(volumes=["/auto"])) as e:
            await output(e, "echo x >/auto/f; echo y >/named/f", keep=True, binds=("named:/named", "/extra"))
            names = {v.name for v in await e.volumes.list()}
            assert len(names) == 3
            anonymous = names - {"named"}
            assert all(len(name) == 64 for name in anonymous)
            with pytest.raises(Conflict, match=r"remove named: volume is in use - \["):
                await e.volumes.remove("named")
            await e.containers.remove("cc", volumes=True)
            assert {v.name for v in await e.volumes.list()} == {"named"}
            assert await output(e, "cat /named/f", binds=("named:/named",)) == "y\n"
            assert (await e.volumes.prune()).deleted == ()
            assert (await e.volumes.prune({"all": ["true"]})).deleted == ("named",)
            with pytest.raises(NotFound, match="no such volume"):
                await e.volumes.inspect("named")

    run(main())


def test_binds(engine: Opened, tmp_path: Path) -> None:
    async def main() -> None:
        async with engine() as e:
            (tmp_path / "file").write_text("host\n")
            binds = (f"{tmp_path}/file:/etc/conf:ro", f"{tmp_path}/made/deep:/d", f"{tmp_path}:/all:ro")
            text = await output(
                e, "cat /etc/conf; echo in >/d/f; echo x >/all/no || echo refused; echo y >/etc/conf || echo refused", binds=binds
            )
            assert text.count("refused") == 2
            assert text.startswith("host\n")
            assert (tmp_path / "made/deep/f").read_text() == "in\n"
            mount = Mount(type="bind", source=f"{tmp_path}/none", target="/n")
            with pytest.raises(InvalidArgument, match="bind source path does not exist"):
                await output(e, "true", mounts=(mount,))
            made = mount.replace(bind_options=BindOptions(create_mountpoint=True))
            assert await output(e, "ls -d /n", mounts=(made,)) == "/n\n"

    run(main())


def test_removing_a_container_never_empties_what_is_mounted_in_it(engine: Opened, tmp_path: Path) -> None:
    """Trap 2: the volume's and the host's files survive, whatever is still mounted."""

    async def main() -> None:
        async with engine() as e:
            (tmp_path / "precious").write_text("x")
            await output(e, "echo y >/vol/f", binds=("vol:/vol", f"{tmp_path}:/host"), keep=True)
            left = e.layout.container(e.registry.find("cc").id) / "upper/left"
            left.mkdir()
            from composer.engine.local.linux.mount import bind

            bind(tmp_path, left)
            await e.containers.remove("cc")
            assert (tmp_path / "precious").read_text() == "x"
            assert (Path((await e.volumes.inspect("vol")).mountpoint) / "f").read_text() == "y\n"

    run(main())


def test_subpath_tmpfs_and_read_only(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await output(e, "mkdir -p /v/a/b; echo s >/v/a/b/f; ln -s /etc /v/esc", binds=("vol:/v",))
            sub = Mount(type="volume", source="vol", target="/s", volume_options=VolumeOptions(subpath="a/b"))
            tmp = Mount(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(size_bytes=65536, mode=0o700))
            text = await output(e, "cat /s/f; stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'", mounts=(sub, tmp))
            assert text == "s\n700\n64\n"
            for bad in ("none", "esc/hostname"):
                with pytest.raises(EngineError):
                    await output(e, "true", mounts=(sub.replace(volume_options=VolumeOptions(subpath=bad)),), name=f"bad{len(bad)}")
            script = "touch /f 2>/dev/null || echo no; touch /v/g && echo yes"
            assert await output(e, script, readonly_rootfs=True, binds=("vol:/v",), name="ro1") == "no\nyes\n"

    run(main())


def test_volumes_from_and_nested(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await output(e, "echo a >/outer/a; echo b >/outer/inner/b", keep=True, name="one", binds=("inner:/outer/inner", "outer:/outer"))
            text = await output(e, "cat /outer/a /outer/inner/b; touch /outer/c 2>/dev/null || echo ro", volumes_from=("one:ro",))
            assert text.startswith("a\nb\n")
            assert text.endswith("ro\n")
            assert "b" not in os.listdir((await e.volumes.inspect("outer")).mountpoint)

    run(main())


def test_mount_options(engine: Opened, tmp_path: Path) -> None:
    async def main() -> None:
        async with engine() as e:
            await e.volumes.create(VolumeConfig(name="mem", driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1234"}))
            script = "stat -c %u /m; df -k /m | tail -1 | awk '{print $2}'; echo x >/m/f"
            assert await output(e, script, binds=("mem:/m",)) == "1234\n1024\n"
            (tmp_path / "f").write_text("device\n")
            await e.volumes.create(VolumeConfig(name="dev", driver_opts={"type": "none", "device": str(tmp_path), "o": "bind,ro"}))
            assert await output(e, "cat /m/f; touch /m/g 2>/dev/null || echo ro", binds=("dev:/m",)) == "device\nro\n"
            await e.volumes.create(VolumeConfig(name="bad", driver_opts={"type": "none", "device": "/no/such", "o": "bind"}))
            with pytest.raises(EngineError, match="failed to mount local volume: mount /no/such"):
                await output(e, "true", binds=("bad:/m",), name="bad1")
            await e.containers.remove("bad1")
            for name in ("mem", "dev", "bad"):
                await e.volumes.remove(name)
            assert (tmp_path / "f").exists()

    run(main())


def test_special_files_are_bound(engine: Opened, tmp_path: Path) -> None:
    async def main() -> None:
        async with engine() as e:
            os.mkfifo(tmp_path / "fifo")
            binds = (f"{tmp_path}/fifo:/fifo", "/dev/null:/dev/nothing")
            assert await output(e, "stat -c %F /fifo /dev/nothing", binds=binds) == "fifo\ncharacter special file\n"
            assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)

    run(main())


def test_two_containers_fill_one_volume_once(engine: Opened) -> None:
    async def main() -> None:
        async with engine(image=busybox_archive(layers=[content_layer()])) as e:
            await load(e, busybox_archive("bb2:latest"))
            texts = await asyncio.gather(*(output(e, "ls /data | wc -l", binds=("vol:/data",), name=f"c{n}") for n in range(4)))
            assert texts == ["4\n"] * 4

    run(main())


def test_a_label_makes_nothing_anonymous(engine: Opened) -> None:
    """Trap 8: `prune` goes by the row, not by a label that a file or an image can carry."""

    async def main() -> None:
        async with engine(image=busybox_archive(labels={"com.docker.volume.anonymous": ""})) as e:
            await e.volumes.create(VolumeConfig(name="precious", labels={"com.docker.volume.anonymous": ""}))
            assert await output(e, "echo x >/v/f", binds=("kept:/v",)) == ""
            assert (await e.volumes.prune()).deleted == ()
            assert {v.name for v in await e.volumes.list()} == {"precious", "kept"}

    run(main())
