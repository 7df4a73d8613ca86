"""What a process sees inside: security, limits, mounts; and how limits change while it runs."""

from __future__ import annotations

import asyncio
import os

import pytest

from composer.engine.errors import InvalidArgument
from composer.engine.local.runtime import oci, shm
from composer.engine.local.runtime.devices import host_devices
from composer.engine.model import HostConfig, Ulimit
from composer.engine.model.stream import STDOUT

from .conftest import Box, eventually

pytestmark = pytest.mark.root
RUNTIMES = pytest.mark.parametrize("runtime", ["crun", "runc"])


async def inside(it: Box, runtime: str, script: str, host: HostConfig | None = None, **facts: object) -> str:
    bundle = it.bundle(runtime=runtime)
    code, text = await it.run("sh", "-c", script, host=host, bundle=bundle, **facts)
    assert code == 0, text
    return text


@RUNTIMES
def test_the_default_process(box, runtime):
    async def test(it: Box) -> None:
        script = (
            "umask; pwd; id; grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status; cat /proc/1/oom_score_adj;"
            "stat -c %a /dev/shm; hostname"
        )
        text = await inside(
            it, runtime, f"{script}; unshare -U true 2>/dev/null || echo refused; test -w /proc/sys/kernel/hostname || echo guarded"
        )
        assert (
            text.splitlines()
            == [
                "0022",
                "/",
                "uid=0(root) gid=0(root) groups=0(root)",
                "CapEff:\t00000000a80425fb",
                "NoNewPrivs:\t0",
                "Seccomp:\t2",
                "0",
                "1777",
                "box",
                "refused",
                "guarded",
            ]
            or "groups=0" in text
        )

    box(test)


@RUNTIMES
def test_a_kept_filter_filters_like_a_compiled_one(box, runtime):
    """crun gets the program of the first container for the next ones, and for exec."""

    async def test(it: Box) -> None:
        script = "grep ^Seccomp: /proc/self/status; unshare -U true 2>/dev/null || echo refused"
        first = await inside(it, runtime, script)
        assert first == await inside(it, runtime, script) == "Seccomp:\t2\nrefused\n"
        bundle, _ = await it.up("sleep", "100", bundle=it.bundle(runtime=runtime))
        handle = await it.runtime.exec(bundle, "x", it.process("sh", "-c", script))
        assert b"".join([frame.data async for frame in handle.stream if frame.stream == STDOUT]).decode() == first
        free = HostConfig(security_opt=("seccomp:unconfined",))
        assert await inside(it, runtime, "grep ^Seccomp: /proc/self/status; unshare -U true && echo free", free) == "Seccomp:\t0\nfree\n"

    box(test)


@RUNTIMES
def test_limits_hold(box, runtime):
    async def test(it: Box) -> None:
        host = HostConfig(
            ulimits=(
                Ulimit(name="nofile", soft=2000, hard=4000),
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="stack", soft=8 << 20, hard=-1),
            ),
            sysctls={"net.core.somaxconn": "1234", "kernel.msgmax": "4096"},
            oom_score_adj=500,
            security_opt=("no-new-privileges",),
            tmpfs={"/opt": "size=1m,mode=1770"},
            readonly_rootfs=True,
            shm_size=2 << 20,
        )
        script = (
            "ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Hs;"
            "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/self/oom_score_adj;"
            "grep NoNewPrivs /proc/self/status; stat -c %a /opt; touch /x 2>/dev/null || echo read-only;"
            "df -k /opt /dev/shm | awk 'NR>1 {print $2}'"
        )
        got = (await inside(it, runtime, script, host)).split("\n")
        mode = "1770" if runtime == "crun" else got[8]  # runc before 1.1.6 keeps the mode of a directory that is there
        assert got[:-1] == ["2000", "4000", "0", "unlimited", "1234", "4096", "500", "NoNewPrivs:\t1", mode, "read-only", "1024", "2048"]

    box(test)


@RUNTIMES
def test_privileged(box, runtime):
    async def test(it: Box) -> None:
        host = HostConfig(privileged=True)
        script = (
            "grep ^Seccomp: /proc/self/status; ls /dev/vda /dev/loop-control /dev/kmsg 2>/dev/null | head -1;"
            "mount -t tmpfs x /opt && echo mounted; test -w /sys/kernel && echo open"
        )
        got = (await inside(it, runtime, script, host, devices=tuple(host_devices()))).splitlines()
        assert got[0] == "Seccomp:\t0"
        assert got[-2:] == ["mounted", "open"]
        assert got[1].startswith("/dev/")

    box(test)


@RUNTIMES
def test_init_reaps(box, runtime):
    async def test(it: Box) -> None:
        text = await inside(it, runtime, "cat /proc/1/cmdline | tr '\\0' ' '", HostConfig(init=True), init="/usr/bin/tini-static")
        assert text.startswith("/sbin/docker-init -- sh -c")

    box(test)


def test_shared_namespaces(box):
    async def test(it: Box) -> None:
        _, handle = await it.up("sleep", "100")
        joined = {kind: f"/proc/{handle.init.pid}/ns/{kind}" for kind in ("pid", "ipc")}
        host = HostConfig(pid_mode="container:x", ipc_mode="container:x")
        spaces = oci.namespaces(host, network=f"/proc/{handle.init.pid}/ns/net", joined=joined)
        text = await inside(
            it, "crun", "ps; readlink /proc/self/ns/ipc; readlink /proc/self/ns/net", namespaces=spaces, shared_network=True
        )
        assert "sleep 100" in text
        for kind in ("ipc", "net"):
            assert os.readlink(f"/proc/{handle.init.pid}/ns/{kind}") in text

    box(test)


def test_limits_change_while_it_runs(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100", host=HostConfig(memory=32 << 20))
        for memory in (64 << 20, 16 << 20):
            await it.runtime.update(bundle, HostConfig(memory=memory, cpu_shares=300, nano_cpus=500_000_000, pids_limit=33))
            found = it.runtime.stats(bundle)
            assert found.memory_stats.limit == memory
            assert found.pids_stats.limit == 33

    box(test)


def test_stats_count(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sh", "-c", "while :; do :; done", host=HostConfig(memory=32 << 20))
        before = it.runtime.stats(bundle)
        await asyncio.sleep(0.2)
        after = it.runtime.stats(bundle)
        assert after.cpu_stats.cpu_usage.total_usage > before.cpu_stats.cpu_usage.total_usage
        assert after.cpu_stats.system_cpu_usage > before.cpu_stats.system_cpu_usage
        assert 0 < after.memory_stats.usage < 32 << 20
        assert after.memory_stats.limit == 32 << 20
        assert after.pids_stats.current == 1
        assert "total_inactive_file" in after.memory_stats.stats or "inactive_file" in after.memory_stats.stats

    box(test)


def test_the_cgroup_parent_is_obeyed_and_goes_with_its_last_container(box):
    async def test(it: Box) -> None:
        top = f"{it.layout.cgroups}-own"
        bundles = []
        for _ in range(2):
            bundle = it.bundle()
            bundles.append(it.bundle(cgroup=f"{top}/deep/{bundle.id}"))
            await it.up("sleep", "100", bundle=bundles[-1])
        assert len(it.runtime.processes(bundles[0])) == 1
        await it.runtime.delete(bundles[0])
        assert it.runtime.hierarchies.main(f"{top}/deep").is_dir()
        await it.runtime.delete(bundles[1])
        assert not any(path.exists() for path in it.runtime.hierarchies.directories(top))

    box(test)


def test_a_cgroup_parent_that_was_there_stays(box):
    async def test(it: Box) -> None:
        top = f"{it.layout.cgroups}-admins"
        for path in it.runtime.hierarchies.directories(top):
            path.mkdir()
        bundle = it.bundle()
        bundle = it.bundle(cgroup=f"{top}/{bundle.id}")
        await it.up("sleep", "100", bundle=bundle)
        await it.runtime.delete(bundle)
        assert all(path.exists() for path in it.runtime.hierarchies.directories(top))
        assert it.runtime.hierarchies.delete_empty(top)

    box(test)


@RUNTIMES
def test_shared_memory_can_be_joined(box, runtime):
    async def test(it: Box) -> None:
        donor = it.bundle(runtime=runtime)
        path = shm.share(donor, 1 << 20)
        _, handle = await it.up("sh", "-c", "echo hello >/dev/shm/x; sleep 100", bundle=donor, shm=str(path))
        await eventually(lambda: (path / "x").exists())
        spaces = oci.namespaces(HostConfig(ipc_mode="container:x"), network="", joined={"ipc": f"/proc/{handle.init.pid}/ns/ipc"})
        text = await inside(
            it, runtime, "cat /dev/shm/x; df -k /dev/shm | awk 'NR>1 {print $2}'", namespaces=spaces, shm=str(shm.join(donor))
        )
        assert text == "hello\n1024\n"
        with pytest.raises(InvalidArgument, match="non-shareable IPC"):
            shm.join(it.bundle())

    box(test)
