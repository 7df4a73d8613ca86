"""`kill -9` of the daemon at random moments of `up`: the next `up` makes the stack whole, and `down` leaves nothing."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.fixtures.leaks import Snapshot
from tests.fixtures.patience import patient
from tests.scenarios.terminal import Terminal, free_ports, page, until

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("COMPOSER_TEST_KILLS", "20"))
STACK = """
name: k
x-all: &all {image: bb, stop_signal: SIGKILL}
services:
  db:
    <<: *all
    volumes: ["data:/data"]
    networks: [back]
    healthcheck: {test: ["CMD", "test", "-d", "/data"], interval: 1s, start_period: 10s, start_interval: 50ms}
  cache: {<<: *all, networks: [back], tmpfs: [/tmp]}
  migrate:
    <<: *all
    command: ["sh", "-c", "echo done > /data/migrated"]
    volumes: ["data:/data"]
    depends_on: {db: {condition: service_healthy}}
    networks: [back]
  web:
    <<: *all
    command: ["httpd", "-f", "-p", "80", "-h", "/data"]
    scale: 2
    volumes: ["data:/data:ro"]
    depends_on: {migrate: {condition: service_completed_successfully}, cache: {condition: service_started}}
    networks: [back, front]
  proxy:
    <<: *all
    command: ["nc", "-ll", "-p", "80", "-e", "nc", "web", "80"]
    ports: ["127.0.0.1:PORT:80"]
    depends_on: [web]
    networks: [front]
  worker: {<<: *all, depends_on: [db, cache], networks: [back], restart: always}
networks: {back: {}, front: {}}
volumes: {data: {}}
"""
WHOLE = {f"k-{name}": "running" for name in ("db-1", "cache-1", "web-1", "web-2", "proxy-1", "worker-1")} | {"k-migrate-1": "exited"}


def test_the_stack_is_whole_after_kill_9_at_any_moment_of_up(terminal: Terminal) -> None:
    seed = int(os.environ.get("COMPOSER_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    moments = random.Random(seed)
    with free_ports(1) as (port,):
        terminal.stack(STACK.replace("PORT", str(port)))
    before = Snapshot.take(terminal.layout)
    began = time.monotonic()
    terminal.run("up", "-d")
    took = time.monotonic() - began
    whole(terminal, port, "first")
    for number in range(ROUNDS):
        terminal.run("down", "-v")
        clean(terminal, before, f"seed {seed}, before round {number}")
        moment = moments.uniform(0.02, took)
        up = terminal.begin("up", "-d")
        time.sleep(moment)
        terminal.kill_daemon()
        up.communicate(timeout=patient(60))
        terminal.run("up", "-d")
        whole(terminal, port, f"seed {seed}, round {number}, killed after {moment:.3f} of {took:.3f} s")
    terminal.run("down", "-v")
    clean(terminal, before, f"seed {seed}, at the end")


def whole(terminal: Terminal, port: int, when: str) -> None:
    assert terminal.states() == WHOLE, when
    lasting = ("db", "cache", "web", "proxy", "worker")  # `up` runs a finished one-shot again, as docker compose does
    assert terminal.run("plan", "--detailed-exitcode", "--no-deps", *lasting).stdout == "nothing to do\n", when
    assert until(lambda: page(port, "/migrated"), 10) == "done\n", when


def clean(terminal: Terminal, before: Snapshot, when: str) -> None:
    """Nothing of the stack is left (the daemon runs, with its table)."""
    assert terminal.states() == {}, when
    assert terminal.out("volume", "ls", "-q") == "", when
    assert not list((terminal.layout.root / "containers").iterdir()), when
    assert not list((terminal.layout.run / "containers").iterdir()), when
    assert not list((terminal.layout.run / "netns").iterdir()), when

    def left() -> list[str]:
        found = before.grown(Snapshot.take(terminal.layout))
        return [item for item in found if not item.startswith("tables") and "composer.daemon" not in item]

    try:
        until(lambda: not left(), 5)
    except AssertionError:
        raise AssertionError(f"{when}: left behind: {left()}\n{terminal.daemon_log()}") from None
