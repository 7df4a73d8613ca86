"""Rolling updates with the real command line and daemon: traffic, a bad revision, and `kill -9` in the middle."""

from __future__ import annotations

import os
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.scenarios.terminal import Terminal, free_ports, until

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

STACK = """
name: r
services:
  web:
    image: bb
    command: ["sh", "-c", "mkdir -p /www && echo $$V > /www/index.html && exec httpd -f -p 80 -h /www"]
    environment: {V: "VERSION", BAD: "SICK"}
    ports: ["127.0.0.1:PORT:80"]
    stop_grace_period: 1s
    healthcheck:
      test: [CMD, sh, -c, 'test -z "$$BAD" && wget -q -O- http://127.0.0.1/']
      interval: 1s
      start_interval: 100ms
      start_period: 500ms
      retries: 1
      timeout: 5s
    deploy:
      replicas: 2
      update_config: {order: start-first, failure_action: rollback, monitor: 300ms, x-drain: 300ms}
"""


def write(terminal: Terminal, port: int, version: str, *, sick: bool = False) -> None:
    terminal.stack(STACK.replace("PORT", str(port)).replace("VERSION", version).replace("SICK", "1" if sick else ""))


@contextmanager
def load(port: int) -> Iterator[Counter[str]]:
    """Requests, one connection each, as long as it lasts: answer -> how many; what fails is counted under its error."""
    found: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                    found[answer.read().decode().strip()] += 1
            except OSError as error:
                found[f"error {error}"] += 1
            over.wait(0.005)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join()


def version(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        return str(answer.read().decode().strip())


def test_no_request_is_lost_and_a_bad_revision_goes_back(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        write(terminal, port, "one")
    terminal.run("up", "-d", "--wait")
    with load(port) as answers:
        write(terminal, port, "two")
        terminal.run("up", "-d")
        assert version(port) == "two"
        write(terminal, port, "three", sick=True)
        failed = terminal.run("up", "-d", exit=1)
        again = terminal.run("up", "-d", exit=1)
    assert set(answers) == {"one", "two"}, answers
    assert "was rolled back: container r-web-1 is unhealthy" in failed.stderr
    assert 'service "web" stays at revision 2: revision 3 failed' in again.stderr
    assert terminal.states() == {"r-web-1": "running", "r-web-2": "running"}
    history = terminal.out("history").splitlines()
    assert [line.split()[0] for line in history[1:]] == ["3", "2", "1"]
    assert "failed" in history[1]
    assert "current" in history[2]
    with load(port) as answers:
        terminal.run("rollback", "1")
    assert set(answers) == {"one", "two"}, answers
    assert version(port) == "one"
    assert "~ service web" in terminal.out("diff", "2")
    terminal.run("image", "prune", "-af")
    terminal.run("down")


@pytest.mark.slow
def test_kill_9_in_the_middle_ends_whole(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        write(terminal, port, "v0")
    terminal.run("up", "-d", "--wait")
    seed = int(os.environ.get("COMPOSER_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    moments = random.Random(seed)
    for number in range(1, 6):
        write(terminal, port, f"v{number}", sick=number == 3)
        process = terminal.begin("up", "-d")
        time.sleep(moments.uniform(0.2, 2.5))
        terminal.kill_daemon()
        process.communicate(timeout=60)
        terminal.does("ls")  # a daemon again
        wanted = "v2" if number == 3 else f"v{number}"
        until(lambda: set(terminal.states().items()) == {("r-web-1", "running"), ("r-web-2", "running")}, 40)
        until(lambda wanted=wanted: {version(port) for _ in range(4)} == {wanted}, 40)
        terminal.run("up", "-d", exit=1 if number == 3 else 0)
        assert {version(port) for _ in range(4)} == {wanted}, f"COMPOSER_TEST_SEED={seed}"
