"""cgroups of both versions: found, prepared, counted, frozen, removed. Version 2 on the machine's own v2 hierarchy, or on a made-up one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from composer.engine.errors import EngineError
from composer.engine.local.layout import Layout
from composer.engine.local.runtime import limits, usage
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.local.runtime.parents import Parents
from composer.engine.model import HostConfig


def group(directory: Path, controllers: str, on: str = "") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.controllers").write_text(controllers)
    (directory / "cgroup.subtree_control").write_text(on)
    return directory


@pytest.fixture
def v2(tmp_path):
    return Hierarchies({}, group(tmp_path / "cg", "cpu memory pids misc", "memory"))


def test_versions():
    mounts = {name: Path(f"/sys/fs/cgroup/{name}") for name in ("memory", "pids")}
    assert Hierarchies(mounts, Path("/sys/fs/cgroup/unified")).version == 1
    assert Hierarchies({}, Path("/sys/fs/cgroup")).version == 2
    with pytest.raises(EngineError, match="cpu is not mounted"):
        Hierarchies(mounts, None).directory("/x", "cpu")


def test_controllers_are_handed_down_the_path(v2):
    group(v2.unified / "a", "cpu memory pids", "")
    group(v2.unified / "a/b", "cpu memory", "")
    v2.prepare("/a/b")
    assert (v2.unified / "cgroup.subtree_control").read_text() == "+pids"  # the last write; memory was on before
    assert (v2.unified / "a/b/cgroup.subtree_control").read_text() == "+memory"


def test_limits_of_v2_are_written(v2):
    box = group(v2.unified / "box", "cpu memory pids")
    for name in ("memory.swap.max", "memory.max", "cpu.weight", "cpu.max", "pids.max"):
        (box / name).write_text("")
    limits.apply(v2, "/box", HostConfig(memory=64 << 20, cpu_shares=1024, nano_cpus=500_000_000, pids_limit=10))
    assert (box / "memory.max").read_text() == str(64 << 20)
    assert (box / "memory.swap.max").read_text() == str(64 << 20)
    assert (box / "cpu.max").read_text() == "50000 100000"
    assert (box / "cpu.weight").read_text() == "39"
    assert (box / "pids.max").read_text() == "10"


def test_stats_of_v2(v2):
    box = group(v2.unified / "box", "")
    files = {
        "cpu.stat": "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 7\nnr_throttled 2\nthrottled_usec 9\n",
        "memory.current": "4096\n",
        "memory.peak": "8192\n",
        "memory.max": "max\n",
        "memory.stat": "anon 100\ninactive_file 20\n",
        "memory.events": "low 0\noom 1\noom_kill 2\n",
        "pids.current": "3\n",
        "pids.max": "max\n",
        "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
    }
    for name, text in files.items():
        (box / name).write_text(text)
    found = usage.measure(v2, "/box")
    assert found.cpu_stats.cpu_usage.total_usage == 5_000_000
    assert found.cpu_stats.throttling_data.throttled_time == 9000
    assert (found.memory_stats.usage, found.memory_stats.max_usage, found.memory_stats.stats["inactive_file"]) == (4096, 8192, 20)
    assert found.memory_stats.limit == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert (found.pids_stats.current, found.pids_stats.limit) == (3, 0)
    assert [(e.op, e.value) for e in found.blkio_stats.io_service_bytes_recursive] == [("read", 10), ("write", 20)]
    assert v2.oom_kills("/box") == 2
    assert v2.oom_kills("/none") == 0
    assert usage.measure(v2, "/none").memory_stats.usage == 0


def test_the_units_own_cgroup_is_left_to_it(v2, tmp_path):
    layout = Layout(tmp_path / "root", tmp_path / "run", cgroup_parent="/unit")
    layout.run.mkdir()
    (v2.unified / "unit").mkdir()
    Parents(v2, layout).leave("/unit")
    assert (v2.unified / "unit").is_dir()
    own = Layout(tmp_path / "root", tmp_path / "run")
    (v2.unified / own.cgroups.lstrip("/")).mkdir()
    Parents(v2, own).leave(own.cgroups)
    assert not (v2.unified / own.cgroups.lstrip("/")).exists()


@pytest.mark.root
@pytest.mark.parametrize("version", [1, 2])
def test_processes_are_frozen_and_killed_with_their_cgroup(version):
    found = Hierarchies.detect()
    if version == 2:
        if found.unified is None:
            pytest.skip("no cgroup v2 hierarchy is mounted")
        found = Hierarchies({}, found.unified)
    elif found.version == 2:
        pytest.skip("this machine has no cgroup v1")
    path = f"/composer-test-{os.getpid()}/box"
    for directory in found.directories(path):
        (directory / "child").mkdir(parents=True)
    process = subprocess.Popen(["sleep", "100"])
    try:
        for directory in found.directories(f"{path}/child"):
            if directory.parts[4] != "cpuset":  # a new cpuset of v1 has no CPUs yet
                (directory / "cgroup.procs").write_text(str(process.pid))
        assert found.processes(path) == [process.pid]
        found.freeze(path, True)
        assert found.frozen(path)
        found.freeze(path, False)
        assert not found.frozen(path)
        found.freeze(path, True)
        found.delete(path)
        assert process.wait(5) == -9
        assert not any(directory.exists() for directory in found.directories(path))
        found.delete(path)  # again is fine
    finally:
        process.kill()
        process.wait()
        found.delete(path.rpartition("/")[0])
