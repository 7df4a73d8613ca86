"""The sample `dev`: what its README says to type, on a base of busybox."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.busybox import busybox_archive
from tests.scenarios.terminal import Terminal
from tests.scenarios.test_samples import BASE, SAMPLES
from tests.scenarios.test_watch import Watch

pytestmark = [pytest.mark.root, pytest.mark.slow]


def typed(directory: Path) -> list[str]:
    """The README's commands without their comments."""
    lines = (directory / "README.md").read_text().splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.startswith("    ")]


def test_the_readme_works_as_typed(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(busybox_archive(BASE))
    terminal.run("image", "load", "-i", str(tmp_path / "base.tar"))
    directory = terminal.directory / "dev"
    shutil.copytree(SAMPLES / "dev", directory)
    sample = Terminal(terminal.layout, directory)
    commands = typed(directory)
    assert commands[:3] == ["composer image bootstrap debian:bookworm-slim", "cd samples/dev", "composer up --watch"]
    shown = {
        "echo hi": ("hi, world",),
        "echo '#": ("clock (2 replicas) in", "restarted"),
        "echo something": ("rebuilt: clock-1 re-created", "clock-2 re-created"),
        "echo NAME": ("hi, you",),
        "sed -i 's/scale": ("clock-3", "hi, you"),
        "sed -i 's/services:/": ("stack.yml is not valid",),
        r"sed -i 's/services: \[": ("stack.yml: as it was",),
    }
    watch = Watch(sample.begin("up", "--watch"))
    try:
        at = watch.says("Watch enabled")
        watch.says("hello, world")
        for begin, words in shown.items():
            command = next(command for command in commands if command.startswith(begin))
            at = len(watch.said)
            subprocess.run(["sh", "-c", command], cwd=directory, check=True, timeout=30)
            watch.says(*words, after=at)
    finally:
        assert watch.end() == 130
    sample.run("down")
    for command in ("up -d --isolated=mine", "ps", "down --isolated=mine"):
        assert f"composer {command}" in commands
        sample.run(*command.split())
    assert sample.states() == {}
    for name in (BASE, "dev-clock", "dev-mine-clock"):
        sample.run("image", "rm", "-f", name)
    sample.run("system", "prune", "-f")  # what the builds have kept
