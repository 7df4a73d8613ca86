"""What is done behind a stack's back is put right by the engine's events, without a command; what the stack's commands mean holds."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress

import pytest

from composer.engine.docker import DockerEngine
from composer.engine.errors import Conflict
from tests.conftest import run
from tests.fixtures.patience import patient
from tests.scenarios.terminal import Terminal, alive, free_ports, page, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

STACK = """
name: d
x-all: &all {image: bb, stop_signal: SIGKILL}
services:
  db: {<<: *all, volumes: ["data:/data"]}
  web:
    <<: *all
    command: ["httpd", "-f", "-p", "80", "-h", "/etc"]
    ports: ["127.0.0.1:PORT:80"]
    depends_on: [db]
    restart: always
  once: {<<: *all, command: ["sh", "-c", "echo ran; exit 3"]}
volumes: {data: {}}
"""
UP = {"d-db-1": "running", "d-web-1": "running", "d-once-1": "exited"}
RESYNC = 60.0  # seconds between two looks at everything, whatever was or was not heard
PATIENCE = 20.0  # on a busy machine


@pytest.fixture
def port(terminal: Terminal) -> int:
    """The stack is up; the published port of `web`."""
    with free_ports(1) as (found,):
        terminal.stack(STACK.replace("PORT", str(found)))
    terminal.run("up", "-d")
    terminal.become(UP)
    answers(found)
    return found


def answers(port: int, within: float = PATIENCE) -> None:
    until(lambda: page(port, "/os-release", timeout=1.0).startswith("NAME=BusyBox"), within)


def stays(terminal: Terminal, states: dict[str, str], seconds: float = 1.0) -> None:
    """Nobody changes it meanwhile. (Something that must not happen can only be waited for.)"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert terminal.states() == states


def test_a_killed_process_with_restart_always_is_back_within_a_second(terminal: Terminal, port: int) -> None:
    pid = terminal.inspect("d-web-1")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: page(port, "/os-release", timeout=0.5), 5, pause=0.005)
    took = time.monotonic() - began
    print(f"answers again after {took:.3f} s")
    again = terminal.inspect("d-web-1")
    assert again["State"]["Pid"] != pid
    assert again["RestartCount"] == 1
    assert took < 5


def test_a_process_without_a_policy_stays_ended_and_a_one_shot_is_done(terminal: Terminal, port: int) -> None:
    started = terminal.inspect("d-once-1")["State"]["StartedAt"]
    os.kill(terminal.inspect("d-db-1")["State"]["Pid"], signal.SIGKILL)
    ended = {**UP, "d-db-1": "exited"}
    terminal.become(ended)
    terminal.run("container", "rm", "-f", "d-web-1")  # drift of another service makes the controller look
    terminal.become(ended)
    assert terminal.inspect("d-db-1")["State"]["ExitCode"] == 137
    once = terminal.inspect("d-once-1")["State"]
    assert (once["StartedAt"], once["ExitCode"]) == (started, 3)


def test_a_container_removed_stopped_killed_or_paused_by_hand_is_back(terminal: Terminal, port: int) -> None:
    before = terminal.containers()
    began = time.monotonic()
    terminal.run("container", "rm", "-f", "d-web-1")
    answers(port)
    print(f"removed: answers again after {time.monotonic() - began:.3f} s")
    terminal.become(UP)
    assert terminal.containers()["d-web-1"][0] != before["d-web-1"][0]
    for words in (("stop", "d-web-1"), ("kill", "d-db-1"), ("pause", "d-db-1")):
        terminal.run("container", *words)
        terminal.become(UP)
    answers(port)
    assert terminal.containers()["d-db-1"][0] == before["d-db-1"][0]
    terminal.run("plan", "--detailed-exitcode", "--no-deps", "db", "web")


def test_a_network_taken_away_is_made_again(terminal: Terminal, port: int) -> None:
    terminal.run("network", "disconnect", "-f", "d_default", "d-db-1")
    until(lambda: "d_default" in terminal.inspect("d-db-1")["NetworkSettings"]["Networks"], PATIENCE)
    before = run(take_network(f"unix://{terminal.layout.run}/s", "d_default"))

    def there() -> bool:
        found = terminal.out("network", "ls", "-q", "--no-trunc", "-f", "name=d_default").strip()
        return bool(found) and found != before

    until(there, PATIENCE)
    terminal.become(UP, PATIENCE)
    answers(port)
    until(lambda: terminal.does("exec", "-T", "web", "ping", "-c", "1", "-W", "1", "db"), PATIENCE, 0.2)


async def take_network(host: str, name: str) -> str:
    """Disconnect all of its containers and remove it, faster than the controller puts it back; its id."""
    async with DockerEngine(host) as engine:
        network = await engine.networks.inspect(name)
        containers = await engine.containers.list(all=True)
        for _ in range(200):
            await asyncio.gather(*(engine.networks.disconnect(name, one.id, force=True) for one in containers), return_exceptions=True)
            with suppress(Conflict):
                await engine.networks.remove(network.id)
                return network.id
        raise AssertionError("the controller was always quicker")


@pytest.mark.timeout(200)
@pytest.mark.parametrize("verb", ["flush", "delete"])
def test_rules_taken_away_are_back(terminal: Terminal, port: int, verb: str) -> None:
    before = rules(terminal)
    assert "elements = {" in before  # the bridges of the stack
    subprocess.run(["nft", verb, "table", "inet", terminal.layout.table], check=True, timeout=patient(10))
    began = time.monotonic()
    until(lambda: rules(terminal) == before, RESYNC + PATIENCE)
    print(f"{verb}: the same rules again after {time.monotonic() - began:.3f} s")
    answers(port)


def rules(terminal: Terminal) -> str:
    """The engine's table as text, without counters; "" when there is none."""
    done = subprocess.run(
        ["nft", "-s", "list", "table", "inet", terminal.layout.table], capture_output=True, text=True, timeout=patient(10)
    )
    return done.stdout


@pytest.mark.timeout(200)
def test_a_bridge_taken_away_is_back(terminal: Terminal, port: int) -> None:
    network = terminal.out("network", "inspect", "d_default", "--format", "{{.Id}}").strip()
    bridge = terminal.layout.bridge(network)
    index = socket.if_nametoindex(bridge)
    subprocess.run(["ip", "link", "del", bridge], check=True, timeout=patient(10))
    began = time.monotonic()
    until(lambda: any(name == bridge and number != index for number, name in socket.if_nameindex()), RESYNC + PATIENCE)
    print(f"there again after {time.monotonic() - began:.3f} s")
    until(lambda: terminal.does("exec", "-T", "web", "ping", "-c", "1", "-W", "1", "db"), PATIENCE)
    answers(port)
    terminal.become(UP)


def test_a_volume_removed_while_the_stack_is_stopped_is_made_again(terminal: Terminal, port: int) -> None:
    terminal.run("exec", "-T", "db", "touch", "/data/kept")
    terminal.run("stop")
    terminal.run("container", "rm", "-f", "d-db-1")
    terminal.run("volume", "rm", "d_data")
    terminal.run("up", "-d")
    terminal.become(UP)
    assert terminal.out("volume", "ls", "-q") == "d_data\n"
    assert terminal.out("exec", "-T", "db", "ls", "/data") == ""


def test_what_the_stacks_own_commands_mean_holds(terminal: Terminal, port: int) -> None:
    def look() -> None:
        """Something for the controller to do in another service."""
        terminal.run("container", "kill", "d-db-1")

    terminal.run("stop", "web")
    look()
    terminal.become({**UP, "d-web-1": "exited"})
    stays(terminal, {**UP, "d-web-1": "exited"})
    terminal.run("start", "web")
    answers(port)
    terminal.run("pause", "web")
    look()
    terminal.become({**UP, "d-web-1": "paused"})
    stays(terminal, {**UP, "d-web-1": "paused"})
    terminal.run("unpause", "web")
    answers(port)
    terminal.run("scale", "db=2")
    terminal.become({**UP, "d-db-2": "running"})
    terminal.run("container", "rm", "-f", "d-db-2")
    terminal.become({**UP, "d-db-2": "running"})
    terminal.run("scale", "db=1")
    look()
    terminal.become(UP)
    stays(terminal, UP)
    terminal.run("rm", "-sf", "web")
    look()
    gone = {name: state for name, state in UP.items() if name != "d-web-1"}
    terminal.become(gone)
    stays(terminal, gone)
    terminal.run("down", "-v")
    stays(terminal, {}, 0.5)


def test_down_is_not_healed_and_a_killed_daemon_remembers_what_was_meant(terminal: Terminal, port: int) -> None:
    terminal.run("stop", "web")
    pid = terminal.inspect("d-db-1")["State"]["Pid"]
    terminal.kill_daemon()
    terminal.run("engine", "start")
    terminal.become({**UP, "d-web-1": "exited"})
    stays(terminal, {**UP, "d-web-1": "exited"})
    assert alive(pid)
    terminal.run("up", "-d")
    answers(port)
