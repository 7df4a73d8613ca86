"""The daemon is killed while containers run, log and end: the next one knows all of it, and serves it as before."""

from __future__ import annotations

import json
import time

import pytest

from tests.scenarios.terminal import Terminal, free_ports, page, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

STACK = """
name: r
x-all: &all {image: bb, stop_signal: SIGKILL}
services:
  web:
    <<: *all
    command: ["httpd", "-f", "-p", "80", "-h", "/etc"]
    ports: ["127.0.0.1:PORT:80"]
    healthcheck: {test: ["CMD", "true"], interval: 1s, start_interval: 50ms, start_period: 5s}
  ticker: {<<: *all, command: ["sh", "-c", "n=0; while :; do n=$$((n+1)); echo tick $$n; sleep 0.2; done"]}
  ends: {<<: *all, command: ["sh", "-c", "while [ ! -e /go/go ]; do sleep 0.05; done; echo last words; exit 7"], volumes: [".:/go"]}
  again:
    <<: *all
    restart: on-failure
    command: ["sh", "-c", "if [ -e /go/twice ]; then exec idle; fi; while [ ! -e /go/go ]; do sleep 0.05; done; touch /go/twice; exit 4"]
    volumes: [".:/go"]
"""


def ticks(terminal: Terminal) -> list[int]:
    lines = terminal.out("logs", "--no-log-prefix", "ticker").splitlines()
    return [int(line.split()[1]) for line in lines]


def test_what_went_on_while_no_daemon_ran_is_known(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        terminal.stack(STACK.replace("PORT", str(port)))
    terminal.run("up", "-d", "--wait", "web")
    terminal.run("up", "-d")
    until(lambda: page(port, "/os-release"))
    before = {name: terminal.inspect(name)["State"]["Pid"] for name in ("r-web-1", "r-ticker-1")}
    address = terminal.inspect("r-web-1")["NetworkSettings"]["Networks"]["r_default"]["IPAddress"]
    terminal.kill_daemon()
    known = time.time()
    (terminal.directory / "go").touch()
    until(lambda: (terminal.directory / "twice").exists())
    time.sleep(1.0)  # lines that nobody reads meanwhile
    terminal.run("engine", "start")
    rows = {row["Service"]: row for row in map(json.loads, terminal.out("ps", "-a", "--format", "json").splitlines())}
    assert (rows["ends"]["State"], rows["ends"]["ExitCode"]) == ("exited", 7)
    assert (rows["web"]["State"], rows["web"]["Health"]) == ("running", "healthy")
    assert rows["ticker"]["State"] == "running"
    until(lambda: terminal.states()["r-again-1"] == "running")
    again = terminal.inspect("r-again-1")
    assert again["RestartCount"] == 1
    assert {name: terminal.inspect(name)["State"]["Pid"] for name in before} == before
    found = ticks(terminal)
    assert found == list(range(1, len(found) + 1))
    during = terminal.out("logs", "--no-log-prefix", "--since", f"{known:.3f}", "--until", f"{known + 1:.3f}", "ticker").split("\n")
    assert len([line for line in during if line]) >= 2
    assert terminal.out("logs", "--no-log-prefix", "ends") == "last words\n"
    until(lambda: page(port, "/os-release"))
    assert terminal.inspect("r-web-1")["NetworkSettings"]["Networks"]["r_default"]["IPAddress"] == address
    assert address in terminal.out("exec", "-T", "ticker", "nslookup", "web")
    until(lambda: ticks(terminal)[-1] > found[-1])
    lasting = ("web", "ticker", "again")
    assert terminal.run("plan", "--detailed-exitcode", "--no-deps", *lasting).stdout == "nothing to do\n"


def test_an_orderly_stop_leaves_containers_alone(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        terminal.stack(STACK.replace("PORT", str(port)))
    terminal.run("up", "-d", "web", "ticker")
    pid = terminal.inspect("r-ticker-1")["State"]["Pid"]
    last = until(lambda: ticks(terminal))[-1]
    terminal.run("engine", "stop")
    terminal.run("engine", "start")
    assert terminal.inspect("r-ticker-1")["State"]["Pid"] == pid
    until(lambda: ticks(terminal)[-1] > last)
    until(lambda: page(port, "/os-release"))
