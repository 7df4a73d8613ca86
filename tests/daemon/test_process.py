"""The daemon as a process: start on demand by many at once, the lock, its log when it fails, kill -9 and the next start, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from composer.daemon.lock import held, holder
from composer.daemon.options import LOCK, LOG, Options
from composer.daemon.start import ensure, reachable
from composer.daemon.systemd import delegated, inherited, notify
from composer.engine.docker import DockerEngine
from composer.engine.errors import Conflict, Unavailable
from composer.engine.local.layout import Layout
from composer.engine.model import ContainerConfig, HostConfig
from tests.conftest import run
from tests.contract.backends import load
from tests.fixtures.patience import patient


def of(layout: Layout) -> Options:
    return Options(layout.root, layout.run, f"unix://{layout.run}/composer.sock", layout.pool, layout.pool6)


def ended(pid: int, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def daemon(place: Layout, no_leaks: None) -> Iterator[Options]:
    """Options of a daemon; whatever runs of it is ended after the test, and its containers are removed."""
    chosen = of(place)
    try:
        yield chosen
    finally:
        if reachable(chosen.socket):
            run(clear(chosen))
        pid = holder(place.root / LOCK)
        if pid is not None and Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGTERM)
            assert ended(pid)


async def clear(chosen: Options) -> None:
    async with DockerEngine(chosen.host) as engine:
        for one in await engine.containers.list(all=True):
            await engine.containers.remove(one.id, force=True, volumes=True)


@pytest.mark.root
def test_many_clients_start_one_daemon(daemon: Options) -> None:
    with ThreadPoolExecutor(8) as threads:
        started = list(threads.map(lambda _: ensure(daemon), range(8)))
    assert started.count(True) == 1
    pid = holder(daemon.root / LOCK)
    assert pid is not None
    assert not ensure(daemon)
    done = subprocess.run(
        [sys.executable, "-m", "composer.daemon", "--root", str(daemon.root), "--run", str(daemon.run)],
        capture_output=True,
        text=True,
        timeout=patient(30),
        check=False,
    )
    assert done.returncode == 1
    assert f"another daemon has the state root {daemon.root} (pid {pid})" in done.stderr
    assert "Traceback" not in done.stderr
    assert reachable(daemon.socket)


@pytest.mark.root
def test_containers_live_through_kill_9(daemon: Options) -> None:
    async def first() -> tuple[str, int]:
        async with DockerEngine(daemon.host) as engine:
            await load(engine)
            config = ContainerConfig(image="ctbb", cmd=("idle",), host_config=HostConfig(network_mode="none"))
            made = await engine.containers.create(config, "lives")
            await engine.containers.start(made.id)
            return made.id, (await engine.containers.inspect(made.id)).state.pid

    async def then() -> tuple[str, int, bool]:
        async with DockerEngine(daemon.host) as engine:
            one = await engine.containers.inspect("lives")
            return one.id, one.state.pid, one.state.running

    ensure(daemon)
    ident, process = run(first())
    pid = holder(daemon.root / LOCK)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert Path(f"/proc/{process}").exists()
    assert ensure(daemon)
    assert run(then()) == (ident, process, True)


@pytest.mark.root
def test_a_start_that_fails_tells_the_log(place: Layout, no_leaks: None) -> None:
    place.root.mkdir(exist_ok=True)
    place.database.write_bytes(b"this is no database at all, but long enough to be taken for one" * 10)
    with pytest.raises(Unavailable, match=r"the engine did not start:\n(.|\n)*state.db") as caught:
        ensure(of(place))
    assert "Traceback" not in str(caught.value)
    assert (place.run / LOG).exists()


@pytest.mark.root
def test_stop_by_the_api(daemon: Options) -> None:
    async def stop() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(daemon.socket))
        writer.write(b"POST /composer/v1/engine/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    ensure(daemon)
    pid = holder(daemon.root / LOCK)
    assert pid is not None
    assert f'"pid":{pid}'.encode() in run(stop())
    assert ended(pid)
    assert not daemon.socket.exists()


def test_lock_is_exclusive_and_goes_with_its_holder(tmp_path: Path) -> None:
    with held(tmp_path / "lock"):
        assert holder(tmp_path / "lock") == os.getpid()
        with pytest.raises(Conflict, match=f"pid {os.getpid()}"), held(tmp_path / "lock"):
            pass
    with held(tmp_path / "lock"):
        pass


def test_systemd_protocol(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notify({"NOTIFY_SOCKET": str(tmp_path / "notify")}, "READY=1", "MAINPID=3")
        assert manager.recv(100) == b"READY=1\nMAINPID=3"
    notify({}, "READY=1")
    with pytest.raises(Unavailable):
        notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, "READY=1")
    assert inherited({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, os.getpid()) == []


def test_delegated_cgroup(tmp_path: Path) -> None:
    group = tmp_path / "system.slice" / "composer-containers.service"
    group.mkdir(parents=True)
    assert delegated("/system.slice/composer-containers.service", tmp_path) == ""  # no pure v2 hierarchy
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (group / "cgroup.controllers").write_text("memory\n")
    (group / "cgroup.procs").write_text("12\n")
    assert delegated("/system.slice/composer-containers.service", tmp_path) == "/system.slice/composer-containers.service/containers"
    assert (group / "holder" / "cgroup.procs").read_text() == "12"
    assert (group / "cgroup.subtree_control").read_text() == "+memory"
    assert delegated("/nosuch", tmp_path) == ""
    assert delegated("", tmp_path) == ""
