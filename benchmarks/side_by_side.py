#!/usr/bin/env python3
"""Times composer beside a docker compose, alternating, on the same stacks; prints the ratio of medians.

    sudo .venv/bin/python benchmarks/side_by_side.py [--sizes 1,20,100] [--runs 5]

Starts a composer engine of its own (state in a temporary directory) and takes the docker compose that it finds: DOCKER="docker compose"
names another. Every sample is a whole process, from start to exit. One round of warm-up, then --runs rounds; in each, every verb of
composer is followed by the same verb of docker compose, so that a machine that slows down slows both. Says so when there is no peer.

A row: verb, size, median of composer [min, max], median of the peer [min, max], ratio (above 1: composer is faster). With --engine also,
while each size is up: the memory of the engines' processes (PSS), and composer's restart after `kill -9` to its first list of containers
(the peer's daemon is left alone: it may be somebody's). The last lines say how busy the machine was: only a quiet one tells wall times.
"""

from __future__ import annotations

import argparse
import compileall
import io
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import engines

HERE = Path(__file__).resolve().parent.parent
COMPOSER = [str(HERE / ".venv/bin/composer")]
DOCKER = shlex.split(os.environ.get("DOCKER", "docker compose"))
IMAGE = "composer-bench:latest"


def rootfs() -> bytes:
    """A root file system of busybox alone, as a tar."""
    busybox = shutil.which("busybox") or sys.exit("side_by_side: busybox is missing (apt-get install busybox-static)")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add(busybox, "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
    return out.getvalue()


def stack(size: int) -> str:
    """``size`` services that sleep; SIGKILL ends them at once, so that `down` measures the tool and not a grace period."""
    service = {"image": IMAGE, "command": ["sleep", "1000"], "stop_signal": "SIGKILL", "pull_policy": "never"}
    return json.dumps({"services": {f"s{i}": service for i in range(size)}})


def timed(command: list[str], folder: str, environment: dict[str, str], *, check: bool = True) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    seconds = time.perf_counter() - began
    if check and done.returncode:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout.decode()[-2000:]}")
    return seconds


class Tool:
    """A command line with its environment; ``runner``: the command that runs one container."""

    def __init__(self, name: str, command: list[str], runner: list[str], environment: dict[str, str]) -> None:
        self.name, self.command, self.runner, self.environment = name, command, runner, environment

    def verbs(self, size: int) -> dict[str, list[str]]:
        base = [*self.command, "-p", f"bench{size}", "-f", "stack.json"]
        verbs = {
            "config -q": [*base, "config", "-q"],
            "up -d": [*base, "up", "-d"],
            "up -d (no change)": [*base, "up", "-d"],
            "ps": [*base, "ps", "-q"],
            "exec": [*base, "exec", "-T", "s0", "echo", "x"],
            "down": [*base, "down"],
        }
        if size == 1:
            verbs["run --rm"] = [*self.runner, "--rm", IMAGE, "true"]
        return verbs


@contextmanager
def engine(folder: str) -> Iterator[dict[str, str]]:
    """A composer engine of our own, gone with its state at the end."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "COMPOSER_ROOT": f"{folder}/root",
        "COMPOSER_RUN": f"{folder}/run",
        "COMPOSER_HOST": f"unix://{folder}/run/composer.sock",
        "COMPOSER_POOL": os.environ.get("COMPOSER_POOL", "10.215.0.0/16"),
    }
    compileall.compile_dir(HERE / "composer", quiet=2)  # as in an installed package
    subprocess.run([*COMPOSER, "engine", "start"], env=environment, check=True)
    try:
        yield environment
    finally:
        subprocess.run([*COMPOSER, "engine", "stop"], env=environment, check=False)


def peer_answers() -> bool:
    try:
        return subprocess.run([*DOCKER, "ls"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def load(tool: Tool, tar: Path) -> None:
    words = ["image", "import", str(tar), IMAGE] if tool.name == "composer" else ["import", str(tar), IMAGE]
    subprocess.run([*tool.command[:1], *words], env=tool.environment, check=True, stdout=subprocess.DEVNULL)


def measure(tools: list[Tool], size: int, runs: int, folder: str) -> dict[str, dict[str, list[float]]]:
    Path(folder, "stack.json").write_text(stack(size))
    found: dict[str, dict[str, list[float]]] = {}
    for tool in tools:
        timed([*tool.command, "-p", f"bench{size}", "-f", "stack.json", "down"], folder, tool.environment, check=False)
    for round_ in range(runs + 1):
        for verb in tools[0].verbs(size):
            for tool in tools:
                seconds = timed(tool.verbs(size)[verb], folder, tool.environment)
                if round_:
                    found.setdefault(verb, {}).setdefault(tool.name, []).append(seconds)
    return found


def weigh(tools: list[Tool], size: int, runs: int, folder: str) -> None:
    """The engines as a whole, with ``size`` idle containers each."""
    run = f"{folder}/run"
    for tool in tools:
        timed(tool.verbs(size)["up -d"], folder, tool.environment)
    time.sleep(5)  # until nothing of the start is going on
    for tool in tools:
        daemon, beside = engines.of_composer(run) if tool.name == "composer" else engines.of_docker()
        own, others = engines.pss(daemon), engines.pss(beside)
        parts = f"daemons {own:.0f}, {len(beside)} beside containers {others:.0f}"
        print(f"{size:5} memory (PSS)         {tool.name} {own + others:8.0f} MB: {parts}", flush=True)
    samples = []
    for _ in range(runs):
        samples.append(engines.restart(engines.of_composer(run)[0][0], f"{run}/composer.sock"))
        time.sleep(2)
    wall, cpu = (sorted(values) for values in zip(*samples, strict=True))
    print(
        f"{size:5} restart after kill   composer {statistics.median(wall) * 1000:8.0f} ms [{wall[0] * 1000:.0f}, {wall[-1] * 1000:.0f}], "
        f"of its CPU {statistics.median(cpu) * 1000:.0f} ms",
        flush=True,
    )
    for tool in tools:
        timed(tool.verbs(size)["down"], folder, tool.environment)


def about_machine() -> str:
    """The day and the machine, for the head of the rows."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?")
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')} UTC; {os.cpu_count()} CPUs ({model}); Linux {os.uname().release}; load {os.getloadavg()[0]:.1f}"
    )


def show(size: int, found: dict[str, dict[str, list[float]]]) -> None:
    for verb, by_tool in found.items():
        cells = []
        for name, values in by_tool.items():
            cells.append(f"{name} {statistics.median(values) * 1000:8.0f} ms [{min(values) * 1000:.0f}, {max(values) * 1000:.0f}]")
        medians = [statistics.median(values) for values in by_tool.values()]
        ratio = f"ratio {medians[1] / medians[0]:5.2f}" if len(medians) == 2 else "no peer"
        print(f"{size:5} {verb:<20} {'   '.join(cells)}   {ratio}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", default="1,20")
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--engine", action="store_true", help="also the engines' memory and composer's restart")
    given = options.parse_args()
    print(f"# {about_machine()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cb") as folder, engine(folder) as environment:
        tar = Path(folder, "rootfs.tar")
        tar.write_bytes(rootfs())
        tools = [Tool("composer", COMPOSER, [*COMPOSER, "container", "run"], environment)]
        if peer_answers():
            tools.append(Tool("docker", DOCKER, [DOCKER[0], "run"], dict(os.environ)))
        else:
            print(f"no peer: `{' '.join(DOCKER)} ls` does not answer; only composer is timed", file=sys.stderr)
        for tool in tools:
            load(tool, tar)
        for size in map(int, given.sizes.split(",")):
            show(size, measure(tools, size, given.runs, folder))
            if given.engine:
                weigh(tools, size, given.runs, folder)
    print(f"# load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
