"""What somebody changed in a running container behind the engine's back is found by one pass, and put right, or told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from composer.engine.local.layout import Layout
from composer.engine.local.runtime.limit_drift import expected, same
from composer.engine.model import ContainerConfig, HostConfig, Mount
from tests.conftest import Opened, run


@pytest.mark.parametrize(
    ("name", "wanted", "found", "is_same"),
    [
        ("memory.limit_in_bytes", "104857600", "104857600", True),
        ("memory.limit_in_bytes", "104857601", "104857600", True),  # rounded down to pages
        ("memory.limit_in_bytes", "104857600", "52428800", False),
        ("memory.limit_in_bytes", "-1", "9223372036854771712", True),
        ("memory.max", "max", "52428800", False),
        ("cpu.cfs_quota_us", "-1", "-1", True),
        ("cpu.cfs_quota_us", "150000", "100000", False),
        ("cpu.max", "max 100000", "max 100000", True),
        ("cpuset.cpus", "0,1", "0-1", True),
        ("cpuset.cpus", "0-1", "1", False),
        ("pids.max", "max", "100", False),
    ],
)
def test_whether_a_file_means_the_limit(name: str, wanted: str, found: str, is_same: bool) -> None:
    assert same(name, wanted, found) is is_same


def test_what_is_expected_of_both_versions() -> None:
    assert expected(HostConfig(), 2) == {
        ("memory", "memory.max"): "max",
        ("cpu", "cpu.weight"): "100",
        ("cpu", "cpu.max"): "max 100000",
        ("pids", "pids.max"): "max",
    }
    limited = expected(HostConfig(memory=64 << 20, nano_cpus=500_000_000, pids_limit=20), 1)
    assert limited["memory", "memory.limit_in_bytes"] == str(64 << 20)
    assert limited["cpu", "cpu.cfs_quota_us"] == "50000"
    assert limited["pids", "pids.max"] == "20"
    assert limited["cpu", "cpu.shares"] == "1024"


@pytest.mark.root
def test_limits_namespaces_and_mounts(engine: Opened, place: Layout) -> None:
    async def work() -> None:
        async with engine() as e:
            host = HostConfig(memory=64 << 20, mounts=(Mount(type="volume", source="vol", target="/var/../data"),))
            made = await e.containers.create(ContainerConfig(image="bb", cmd=("sleep", "999"), stop_signal="KILL", host_config=host), "cc")
            await e.containers.start(made.id)
            assert list(await e.mend()) == []
            pid = (await e.containers.inspect("cc")).state.pid
            pids = _file(pid, "pids", "pids.max")
            pids.write_text("7")
            _run("nsenter", "-t", str(pid), "-n", "ip", "link", "set", "eth0", "down")
            pin = place.netns(made.id)
            _run("umount", str(pin))
            pin.unlink()
            events = e.events({"event": ["mend", "drift"]})
            mended = list(await e.mend())
            assert len(mended) == 4, mended
            assert any("pids.max was 7, is max again" in what for what in mended)
            assert any("interface eth0 (was down)" in what for what in mended)
            assert any("default route by" in what for what in mended)
            assert any("had lost its pin" in what for what in mended)
            assert pids.read_text().strip() == "max"
            assert list(await e.mend()) == []
            told = [await anext(events) for _ in range(4)]
            assert {(one.type, one.action, one.actor.attributes["name"]) for one in told} == {("container", "mend", "cc")}
            _run("nsenter", "-t", str(pid), "-m", "umount", "/data")
            assert list(await e.mend()) == []
            lost = await anext(events)
            assert (lost.action, lost.actor.id, lost.actor.attributes["what"]) == ("drift", made.id, "/data")

    run(work())


@pytest.mark.root
def test_who_may_change_its_own_network_is_left_alone(engine: Opened) -> None:
    async def work() -> None:
        async with engine() as e:
            host = HostConfig(cap_add=("NET_ADMIN",))
            made = await e.containers.create(ContainerConfig(image="bb", cmd=("sleep", "999"), stop_signal="KILL", host_config=host), "cc")
            await e.containers.start(made.id)
            pid = (await e.containers.inspect("cc")).state.pid
            _run("nsenter", "-t", str(pid), "-n", "ip", "route", "del", "default")
            assert list(await e.mend()) == []

    run(work())


def _run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=10)


def _file(pid: int, controller: str, name: str) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{name}")
    return Path(f"/sys/fs/cgroup{path}/{name}")
