"""From close() to visible inside all replicas, many files at once, and the cost of watching a large tree that rests.

    python benchmarks/watch.py [--saves 500] [--files 1000] [--directories 10000] [--idle 20] [--peer 'docker compose'] [--json FILE]

A service with three replicas, one `sync` rule. Visible is what a read through /proc/PID/root of each replica's first process gives, polled
each millisecond. ``--peer``: a docker compose whose engine runs on this machine: the same cases by its `watch`. Idle cost is the processor
time of the watching process over ``--idle`` seconds. composer runs on an engine of its own: nothing else is touched. Needs root and
busybox-static.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.fixtures.busybox import busybox_archive  # noqa: E402

STACK = """
name: benchwatch
services:
  web:
    image: watchbb
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    scale: 3
    develop: {watch: [{action: sync, path: ./src, target: /app}]}
"""
LIMIT = 10.0  # seconds after which a change counts as lost
SECOND = 1000.0


class Tool:
    """composer, or a docker compose: how it is called, and where."""

    def __init__(self, compose: list[str], engine: list[str], directory: Path, environment: dict[str, str]) -> None:
        self.compose, self.engine, self.directory, self.environment = compose, engine, directory, environment

    def run(self, words: list[str], **more: Any) -> str:
        done = subprocess.run(words, cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=120, **more)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def roots(self) -> list[Path]:
        """The root of each replica as its process sees it."""
        names = self.run([*self.compose, "ps", "-q"]).split()
        found = json.loads(self.run([*self.engine, "inspect", *names]))
        return [Path(f"/proc/{one['State']['Pid']}/root/app") for one in found]

    def watch(self) -> subprocess.Popen[bytes]:
        log = (self.directory / "watch.log").open("wb")
        process = subprocess.Popen([*self.compose, "watch", "--no-up"], cwd=self.directory, env=self.environment, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while "nabled" not in (self.directory / "watch.log").read_text():
            if time.monotonic() > end:
                raise SystemExit("the watch does not begin: " + (self.directory / "watch.log").read_text())
            time.sleep(0.05)
        time.sleep(1)
        return process


def seen(check: Callable[[], bool], since: float) -> float | None:
    """Milliseconds from ``since`` until it is true; None: not within LIMIT."""
    while not check():
        if time.monotonic() - since > LIMIT:
            return None
        time.sleep(0.001)
    return (time.monotonic() - since) * SECOND


def holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except OSError:
        return False


def saves(tool: Tool, roots: list[Path], count: int) -> dict[str, Any]:
    times: list[float] = []
    lost = 0
    for number in range(count):
        text = f"save {number}\n"
        with (tool.directory / "src" / "file").open("w") as file:
            file.write(text)
        found = seen(lambda text=text: all(holds(root / "file", text) for root in roots), time.monotonic())  # type: ignore[misc]
        lost += found is None
        times.append(found if found is not None else LIMIT * SECOND)
        time.sleep(random.uniform(0.0, 0.1))
    times.sort()
    at = lambda part: round(times[min(len(times) - 1, int(part * len(times)))], 1)  # noqa: E731
    return {"saves": count, "p50_ms": at(0.5), "p95_ms": at(0.95), "max_ms": round(times[-1], 1), "lost": lost}


def at_once(tool: Tool, roots: list[Path], count: int) -> dict[str, Any]:
    directory = tool.directory / "src" / "many"
    directory.mkdir()
    time.sleep(1)
    began = time.monotonic()
    for number in range(count):
        (directory / f"f{number}").write_text(f"{number}\n" * 20)
    written = time.monotonic()
    names = [f"f{number}" for number in range(count)]
    found = seen(lambda: all(_all(root / "many", names) for root in roots), written)
    wrong = sum(not holds(root / "many" / name, f"{name[1:]}\n" * 20) for root in roots for name in names)
    return {
        "files": count,
        "written_in_ms": round((written - began) * SECOND, 1),
        "visible_after_ms": found and round(found, 1),
        "wrong": wrong,
    }


def _all(directory: Path, names: list[str]) -> bool:
    try:
        return len(os.listdir(directory)) >= len(names)
    except OSError:
        return False


def idle(tool: Tool, directories: int, seconds: float) -> dict[str, Any]:
    for number in range(directories):
        (tool.directory / "src" / "tree" / str(number // 100) / str(number % 100)).mkdir(parents=True)
    process = tool.watch()
    try:
        time.sleep(15)  # the first look at the tree is over
        before, began = _processor(process.pid), time.monotonic()
        time.sleep(seconds)
        used = _processor(process.pid) - before
        return {"directories": directories, "seconds": seconds, "percent_of_a_core": round(100 * used / (time.monotonic() - began), 2)}
    finally:
        _end(process)


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure(tool: Tool, wish: argparse.Namespace) -> dict[str, Any]:
    (tool.directory / "src").mkdir(parents=True)
    (tool.directory / "compose.yaml").write_text(STACK)
    (tool.directory / "bb.tar").write_bytes(busybox_archive("watchbb:latest"))
    tool.run([*tool.engine[:1], "image", "load", "-i", "bb.tar"])
    tool.run([*tool.compose, "up", "-d"])
    try:
        roots = tool.roots()
        process = tool.watch()
        try:
            found = {
                "load_before": os.getloadavg()[0],
                "saves": saves(tool, roots, wish.saves),
                "at_once": at_once(tool, roots, wish.files),
            }
        finally:
            _end(process)
        found["idle"] = idle(tool, wish.directories, wish.idle)
        found["load_after"] = os.getloadavg()[0]
        return found
    finally:
        tool.run([*tool.compose, "down", "-t", "0"])
        tool.run([*tool.engine[:1], "image", "rm", "-f", "watchbb:latest"])


def main() -> None:
    words = argparse.ArgumentParser()
    for name, value in (("--saves", 500), ("--files", 1000), ("--directories", 10000)):
        words.add_argument(name, type=int, default=value)
    words.add_argument("--idle", type=float, default=20.0)
    words.add_argument("--peer", default="", help="also by this: 'docker compose'")
    words.add_argument("--json", default="")
    words.add_argument("--directory", default="/var/tmp", help="where sources and the engine's state are: /dev/shm leaves the disk out")
    wish = words.parse_args()
    top, run = (Path(tempfile.mkdtemp(prefix="bw-", dir=parent)) for parent in (wish.directory, "/run"))
    number = os.urandom(1)[0]
    ours = {"COMPOSER_ROOT": str(top / "root"), "COMPOSER_RUN": str(run), "COMPOSER_HOST": f"unix://{run}/s"}
    pools = {"COMPOSER_POOL": f"10.218.{number & 0xF0}.0/20", "COMPOSER_POOL6": f"fd6d:706c:{number:x}::/48"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE") and key != "PYTHONDONTWRITEBYTECODE"}
    composer = str(Path(sys.executable).with_name("composer"))
    tools = {"composer": Tool([composer], [composer, "container"], top / "ours", {**kept, **ours, **pools})}
    if wish.peer:
        peer = wish.peer.split()
        tools["peer"] = Tool(peer, peer[:1], top / "peer", kept)
    results: dict[str, Any] = {}
    try:
        for name, tool in tools.items():
            tool.directory.mkdir()
            tool.environment = {**tool.environment, "PWD": str(tool.directory)}
            results[name] = measure(tool, wish)
            print(name, json.dumps(results[name], indent=1), flush=True)
    finally:
        subprocess.run([composer, "engine", "stop"], env=tools["composer"].environment, check=False, timeout=60)
        for path in (top, run):
            shutil.rmtree(path, ignore_errors=True)
    if wish.json:
        Path(wish.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
