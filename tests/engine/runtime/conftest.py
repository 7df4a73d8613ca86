"""A root file system of busybox, and a Runtime of its own that leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from composer.engine.local.layout import Layout
from composer.engine.local.linux import mount
from composer.engine.local.runtime import Bundle, Handle, Runtime, capabilities, oci, seccomp
from composer.engine.model import HostConfig

BUSYBOX = Path("/bin/busybox")
ENVIRONMENT = ("PATH=/bin:/usr/bin",)


def make_rootfs(root: Path) -> Path:
    for name in ("bin", "usr/bin", "sbin", "proc", "sys", "dev", "etc", "tmp", "root", "opt"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in applets:
        if name != "busybox":
            os.symlink("busybox", root / "bin" / name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1234:1235:app:/home/app:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nmail:x:8:\napp:x:1235:\nextra:x:1300:app\n")
    return root


class Box:
    """A Runtime, its layout, and quick ways to run things in it."""

    def __init__(self, layout: Layout, rootfs: Path) -> None:
        self.layout = layout
        self.rootfs = rootfs
        self.runtime = Runtime(layout)
        self._bundles: list[Bundle] = []

    def bundle(self, **changes: Any) -> Bundle:
        name = os.urandom(32).hex()
        values: dict[str, Any] = {"cgroup": f"{self.layout.cgroups}/{name}", "log": self.layout.container(name) / "log"}
        found = Bundle(name, self.layout.bundle(name), self.rootfs, **(values | changes))
        self.layout.container(name).mkdir(parents=True)
        self._bundles.append(found)
        return found

    def config(self, bundle: Bundle, args: tuple[str, ...], host: HostConfig | None = None, **facts: Any) -> dict[str, Any]:
        host = host or HostConfig()
        have = capabilities.resolve(host.cap_add, host.cap_drop, privileged=host.privileged)
        values: dict[str, Any] = {
            "host": host,
            "args": args,
            "env": oci.environment(ENVIRONMENT, hostname="box", tty=bundle.tty),
            "rootfs": bundle.rootfs,
            "cgroup": bundle.cgroup,
            "namespaces": oci.namespaces(host, network="", cgroup_version=self.runtime.hierarchies.version),
            "capabilities": have,
            "seccomp": seccomp.for_options(host.security_opt, have, privileged=host.privileged),
            "hostname": "box",
            "tty": bundle.tty,
        }
        return oci.render(oci.BundleFacts(**(values | facts)))

    async def up(self, *args: str, host: HostConfig | None = None, bundle: Bundle | None = None, **facts: Any) -> tuple[Bundle, Handle]:
        bundle = bundle or self.bundle()
        handle = await self.runtime.create(bundle, self.config(bundle, args, host, **facts))
        await self.runtime.start(bundle, handle)
        return bundle, handle

    async def run(self, *args: str, host: HostConfig | None = None, **facts: Any) -> tuple[int | None, str]:
        """Run to the end: exit code, and what it wrote as conmon logged it, without times."""
        bundle, handle = await self.up(*args, host=host, **facts)
        end = await asyncio.wait_for(self.runtime.wait(bundle, handle), 20)
        await self.runtime.delete(bundle)
        assert bundle.log is not None
        lines = bundle.log.read_text().splitlines() if bundle.log.exists() else []
        return end.code, "".join(line.split(" ", 3)[3] + "\n" for line in lines)

    def process(self, *args: str, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {"env": ENVIRONMENT, "capabilities": capabilities.DEFAULT}
        return oci.exec_process(args, **(values | changes))

    async def close(self) -> None:
        for bundle in self._bundles:
            await self.runtime.delete(bundle)
        await self.runtime.close()


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rootfs(tmp_path_factory.mktemp("busybox") / "rootfs")


@pytest.fixture
def box(tmp_path: Path, rootfs: Path) -> Iterator[Callable[[Callable[[Box], Awaitable[None]]], None]]:
    """`box(test)` runs the coroutine function with a Box; then nothing of it may be left: mounts, cgroups, processes."""
    layout = Layout(tmp_path / "root", tmp_path / "run")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Box]:
        found = Box(layout, rootfs)
        await found.runtime.open()
        try:
            yield found
        finally:
            await found.close()

    def play(test: Callable[[Box], Awaitable[None]]) -> None:
        async def main() -> None:
            async with opened() as found:
                await asyncio.wait_for(test(found), 60)

        asyncio.run(main())

    yield play
    assert left_behind(layout) == []


def left_behind(layout: Layout) -> list[str]:
    found = [f"mount {m.target}" for m in mount.mounts() if m.target.startswith(f"{layout.root.parent}/")]
    for root in ("/sys/fs/cgroup", *map(str, Path("/sys/fs/cgroup").iterdir())):
        path = Path(root + layout.cgroups)
        if path.exists():
            found.append(f"cgroup {path}")
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and str(layout.run).encode() in (path / "cmdline").read_bytes():
                found.append(f"process {path.name}")
        except OSError:
            continue
    return found


async def eventually(check: Callable[[], Any], *, seconds: float = 10.0, pause: float = 0.01) -> Any:
    """Poll with a deadline."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := check()):
        assert asyncio.get_running_loop().time() < deadline, "it did not come to be"
        await asyncio.sleep(pause)
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
