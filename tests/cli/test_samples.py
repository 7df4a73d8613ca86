"""The samples, as their READMEs say: built from the bootstrapped base, up, used, down and up again."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from composer.engine.local.layout import Layout
from tests.cli.shell import Shell, eventually, shell

SAMPLES = Path(__file__).parents[2] / "samples"
MINUTES = 60.0

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(30 * MINUTES)]


@pytest.fixture
def here(place: Layout, no_leaks: None) -> Iterator[Shell]:
    with shell(place, SAMPLES) as made:
        made.run("image", "bootstrap", "debian:bookworm-slim", timeout=10 * MINUTES)
        yield made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str = "/", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=10) as answer:
        return json.load(answer)


def test_every_sample_has_a_readme() -> None:
    for folder in SAMPLES.iterdir():
        assert (folder / "README.md").is_file()
        assert (folder / "stack.yml").is_file()


def test_hello_and_shop(here: Shell) -> None:
    """Both in one test: making the base takes longest."""
    here.folder = SAMPLES / "hello"
    here.run("up", "-d", WHO="tester")
    eventually(lambda: "hello, tester, from" in here.out("logs"))
    here.run("down", "-t", "0")
    here.folder = SAMPLES / "shop"
    port = free_port()
    here.environment["SHOP_PORT"] = str(port)
    here.run("up", "-d", "--wait", timeout=20 * MINUTES)
    replicas = {get(port)["replica"] for _ in range(40)}
    assert len(replicas) == 3
    made = get(port, "/orders", {"item": "tea", "quantity": 2})
    stored = eventually(lambda: get(port, "/orders"))
    assert [(order["id"], order["item"], order["quantity"]) for order in stored] == [(made["id"], "tea", 2)]
    here.run("up", "-d", "--wait", timeout=5 * MINUTES)
    planned = here.out("plan").splitlines()
    assert (planned[0], planned[-1]) == (
        "start container shop-migrate-1: it has exited (0)",
        "Plan: 1 to start.",
    )  # as docker compose has it
    here.run("down", timeout=5 * MINUTES)
    here.run("up", "-d", "--wait", timeout=5 * MINUTES)
    assert [order["id"] for order in get(port, "/orders")] == [made["id"]]
    here.run("down", "-v", timeout=5 * MINUTES)
    assert "shop" not in here.out("volume", "ls", "-q")
