"""A reboot, as far as it can be played: every process, mount and link of the engine is gone, the run directory is empty, and what the
database says is of another boot. The next daemon brings the stacks back: in order, with their conditions, and only what was to run.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from composer.engine.local.linux.mount import unmount_beneath
from composer.engine.local.linux.process import boot_id
from tests.fixtures.leaks import Snapshot
from tests.fixtures.patience import patient
from tests.scenarios.terminal import Terminal, free_ports, page, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

STACK = """
name: b
x-all: &all {image: bb, stop_signal: SIGKILL}
services:
  web:
    <<: *all
    command: ["httpd", "-f", "-p", "80", "-h", "/data"]
    ports: ["127.0.0.1:PORT:80"]
    volumes: ["data:/data:ro"]
    depends_on: {db: {condition: service_healthy}}
  db:
    <<: *all
    command: ["sh", "-c", "rm -f /tmp/ready; sleep 0.5; date > /data/page; touch /tmp/ready; exec idle"]
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/ready"], interval: 1s, start_interval: 100ms, start_period: 20s}
  stopped: {<<: *all, restart: always}
  once: {<<: *all, command: ["sh", "-c", "echo ran"]}
volumes: {data: {}}
"""
UP = {"b-web-1": "running", "b-db-1": "running", "b-stopped-1": "exited", "b-once-1": "exited"}


def reboot(terminal: Terminal) -> None:
    """Power off and on again: nothing is told to anybody."""
    layout = terminal.layout
    terminal.kill_daemon()
    empty = Snapshot(*(frozenset[str]() for _ in range(5)))
    until(lambda: not end_processes(empty.grown(Snapshot.take(layout))))
    for item in empty.grown(Snapshot.take(layout)):
        kind, _, name = item.partition(": ")
        if kind == "links":
            subprocess.run(["ip", "link", "del", name], check=False, timeout=patient(10), capture_output=True)
        if kind == "tables":
            subprocess.run(["nft", "delete", *name.split()], check=True, timeout=patient(10))
    unmount_beneath(layout.run)
    unmount_beneath(layout.root)
    cgroups = [name for item in empty.grown(Snapshot.take(layout)) for kind, _, name in [item.partition(": ")] if kind == "cgroups"]
    for directory in sorted(cgroups, reverse=True):
        until(lambda path=directory: removed(path))  # type: ignore[misc]
    shutil.rmtree(layout.run)
    assert not empty.grown(Snapshot.take(layout))
    with closing(sqlite3.connect(layout.database)) as db, db:
        changed = db.execute("UPDATE rows SET doc = replace(doc, ?, 'another boot') WHERE doc LIKE ?", (boot_id(), f"%{boot_id()}%"))
        assert changed.rowcount > 0
    (layout.root / "stacks" / ".boot").write_text("another boot")


def end_processes(items: list[str]) -> list[str]:
    """Kill conmon and what it holds; what was there to kill."""
    found = [item.removeprefix("processes: ") for item in items if item.startswith("processes: ")]
    for one in found:
        pid = one.split()[0]
        for child in [*Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), pid]:
            os.kill(int(child), signal.SIGKILL)
    return found


def removed(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def test_stacks_come_back_in_order(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        terminal.stack(STACK.replace("PORT", str(port)))
    terminal.run("up", "-d")
    terminal.run("stop", "stopped")
    terminal.become(UP)
    before = terminal.containers()
    first = until(lambda: page(port, "/page"))
    ran = terminal.inspect("b-once-1")["State"]["StartedAt"]
    time.sleep(1.1)  # `date` has seconds
    reboot(terminal)
    terminal.run("engine", "start")
    terminal.become(UP, 30)
    assert terminal.containers() == before
    second = until(lambda: page(port, "/page"))
    assert second != first
    db, web = (terminal.inspect(name)["State"] for name in ("b-db-1", "b-web-1"))
    assert db["Health"]["Status"] == "healthy"
    healthy = next(probe["End"] for probe in db["Health"]["Log"] if probe["ExitCode"] == 0)
    assert db["StartedAt"] < healthy < web["StartedAt"]
    assert terminal.inspect("b-once-1")["State"]["StartedAt"] == ran
    assert until(lambda: terminal.does("exec", "-T", "web", "ping", "-c", "1", "-W", "1", "db"))
    terminal.run("plan", "--detailed-exitcode", "--no-deps", "web", "db")
    terminal.run("down", "-v")
    assert terminal.states() == {}
