"""The samples' files: hello runs on a base of busybox, the shop is planned. tests/cli/test_samples.py builds and runs both for real."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fixtures.busybox import busybox_archive
from tests.scenarios.terminal import Terminal, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

SAMPLES = Path(__file__).parents[2] / "samples"
BASE = "debian:bookworm-slim"
# The hello sample asks for bash; in a base image of busybox that is the shell.
SHELL = {"bin/bash": b'#!/bin/sh\nexec sh "$@"\n'}


@pytest.fixture
def sample(terminal: Terminal, request: pytest.FixtureRequest) -> Terminal:
    """A terminal in a copy of the sample's directory."""
    directory = terminal.directory / request.param
    shutil.copytree(SAMPLES / request.param, directory)
    return Terminal(terminal.layout, directory)


@pytest.mark.parametrize("sample", ["hello"], indirect=True)
def test_hello(sample: Terminal, tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(busybox_archive(BASE, files=SHELL))
    sample.run("image", "load", "-i", str(tmp_path / "base.tar"))
    sample.stack((sample.directory / "stack.yml").read_text().replace("WHO:-world", "WHO:-you"))
    planned = sample.run("plan", "--detailed-exitcode", exit=2).stdout
    assert "create container hello-hello-1: it does not exist" in planned
    sample.run("up", "-d")
    until(lambda: "hello, you, from " in sample.out("logs", "hello"))
    assert "hello-hello-1" in sample.out("ps")
    assert sample.out("exec", "-T", "hello", "bash", "-c", "echo $WHO") == "you\n"
    sample.run("down")
    assert sample.states() == {}
    sample.run("image", "rm", BASE)


@pytest.mark.parametrize("sample", ["shop"], indirect=True)
def test_the_shops_file_is_right(sample: Terminal) -> None:
    normal = json.loads(sample.run("config", "--format", "json").stdout)
    assert sorted(normal["services"]) == ["db", "migrate", "proxy", "redis", "web", "worker"]
    planned = sample.run("plan", "--steps", "--detailed-exitcode", exit=2).stdout.splitlines()
    starts = [line.split()[2].rstrip(":") for line in planned if line.startswith("start container")]
    assert sorted(starts) == sorted(
        f"shop-{name}" for name in ("db-1", "migrate-1", "proxy-1", "redis-1", "web-1", "web-2", "web-3", "worker-1")
    )
    order = {name: planned.index(line) for line in planned for name in starts if line.startswith(f"start container {name}:")}
    assert order["shop-db-1"] < order["shop-migrate-1"] < order["shop-web-1"] < order["shop-proxy-1"]
    assert sample.states() == {}
