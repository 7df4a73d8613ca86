"""`config -q` on stacks of 20 to 4,000 services of ten lines: composer with a daemon, without one, and docker compose, in turn.

    python benchmarks/config.py [--sizes 20,100,1000] [--runs 5] [--peer 'docker compose']

Whole processes: median seconds, and the largest memory of the client (getrusage). The daemon is one of its own, started before and ended
behind.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMPOSER = [str(Path(sys.executable).with_name("composer"))]
SERVICE = """  s{n}:
    image: bb:latest
    command: [sleep, "1000"]
    environment:
      NAME: s{n}
      LEVEL: ${{LEVEL:-info}}
    ports: ["127.0.0.1:{port}:80"]
    volumes: ["data:/data"]
    restart: unless-stopped
    stop_grace_period: 5s
"""


def stack(directory: Path, services: int) -> Path:
    text = "name: big\nservices:\n" + "".join(SERVICE.format(n=n, port=10000 + n) for n in range(services)) + "volumes: {data: {}}\n"
    path = directory / f"{services}.yml"
    path.write_text(text)
    return path


def once(command: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def memory(command: list[str], environment: dict[str, str]) -> int:
    """The peak of one run, MB: a child of its own, as the largest of all children is what is told."""
    pid = os.fork()
    if pid == 0:
        once(command, environment)
        os._exit(min(255, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 4096))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) * 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="20,100,1000,4000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer", default="docker compose" if shutil.which("docker") else "")
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="cb-", dir="/var/tmp"))
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSER_", "PYTHONDONT"))}
    own = {"COMPOSER_ROOT": f"{place}/root", "COMPOSER_RUN": f"{place}/run", "COMPOSER_HOST": f"unix://{place}/run/s"}
    away = {**own, "COMPOSER_HOST": f"unix://{place}/none"}
    ways = {"composer": (COMPOSER, {**plain, **own}), "composer, no daemon": (COMPOSER, {**plain, **away})}
    if asked.peer:
        ways[asked.peer] = (shlex.split(asked.peer), plain)
    else:
        print("no peer: docker compose was not found; composer alone")
    try:
        subprocess.run([*COMPOSER, "engine", "start"], env={**plain, **own}, check=True, stdout=subprocess.DEVNULL)
        for services in map(int, asked.sizes.split(",")):
            commands = {name: ([*words, "-f", str(stack(place, services)), "config", "-q"], env) for name, (words, env) in ways.items()}
            times: dict[str, list[float]] = {name: [] for name in ways}
            for turn in range(asked.runs + 1):
                for name, (command, env) in commands.items():
                    took = once(command, env)
                    if turn:
                        times[name].append(took)
            first = statistics.median(times[list(times)[-1]])
            for name, found in times.items():
                middle = statistics.median(found)
                print(
                    f"{services:6} services  {name:20} {middle * 1000:8.0f} ms  {first / middle:5.1f} x  {memory(*commands[name]):5} MB",
                    flush=True,
                )
    finally:
        subprocess.run([*COMPOSER, "engine", "stop"], env={**plain, **own}, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
