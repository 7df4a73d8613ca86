"""The samples' files: hello runs on a base of busybox, the shop is planned. tests/cli/test_samples.py builds and runs both for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.busybox import busybox_archive
from tests.scenarios.terminal import COMPOSER, Terminal, until

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


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_gitops_as_its_readme_says(terminal: Terminal, tmp_path: Path) -> None:
    """Every command of the README, in its order; what it says in a comment is so."""
    (tmp_path / "base.tar").write_bytes(busybox_archive(BASE, files=SHELL))
    terminal.run("image", "load", "-i", str(tmp_path / "base.tar"))
    text = (SAMPLES / "gitops" / "README.md").read_text().replace("/tmp/site", str(tmp_path / "site"))
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert len(lines) > 15
    here = str(SAMPLES.parent)
    environment = {**terminal.environment, "PATH": f"{COMPOSER.parent}:{os.environ['PATH']}"}
    for line in lines:
        command, _, said = line.partition("  # ")
        if command.startswith("composer image bootstrap"):
            continue  # the base was loaded
        done = subprocess.run(
            ["bash", "-c", f"cd {here} && {command} && pwd >&2"], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        expected = 1 if said.strip().startswith("exit code 1") else 0
        assert done.returncode == expected, f"{command}\n{done.stdout}{done.stderr}"
        if "logs" in command:
            words = command.split()[1:]
            until(lambda words=words, said=said.strip(): said in terminal.out(*words))
        here = done.stderr.splitlines()[-1] if not expected else here
    terminal.run("image", "rm", BASE)
