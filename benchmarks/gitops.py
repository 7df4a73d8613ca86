"""How soon a commit is live after a webhook on loopback, and what becomes of a daemon that is killed in the middle of a sync.

    python -m benchmarks.gitops [--commits 20] [--kills 20] [--seed 1]

It starts a daemon of its own (directories and addresses of its own, removed at the end), needs root, git and busybox-static.
**Live** is the moment at which a process of the new commit answers: the container writes a file into a volume when it starts, and the
file is watched. Times are from the webhook's first byte.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import random
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from composer.engine.local.layout import Layout
from tests.fixtures.busybox import busybox_archive
from tests.gitops.repository import Repository
from tests.scenarios.terminal import Terminal, until

STACK = """services:
  web:
    image: bb
    command: [sh, -c, "echo VERSION > /shared/.new && mv /shared/.new /shared/version; exec sleep 10000"]
    stop_signal: SIGKILL
    volumes: ["shared:/shared"]
    healthcheck: {test: [CMD, CHECK], interval: 1s, retries: 1, start_period: 1s, start_interval: 50ms}
  db: {image: bb, command: [idle], stop_signal: SIGKILL}
volumes: {shared: {}}
"""


def text(version: int, *, bad: bool = False) -> str:
    return STACK.replace("VERSION", str(version)).replace("CHECK", '"false"' if bad else '"true"')


class Bench:
    """One daemon, one repository that it follows as ``s``."""

    def __init__(self, place: Path) -> None:
        self.layout = Layout(place / "root", Path(tempfile.mkdtemp(prefix="bg-", dir="/run")), pool="10.218.0.0/20", pool6="fd6d:7066::/48")
        self.layout.root.mkdir()
        self.terminal = Terminal(self.layout, place)
        (place / "bb.tar").write_bytes(busybox_archive())
        self.terminal.run("image", "load", "-i", str(place / "bb.tar"))
        self.repo = Repository.new(place / "repo")
        self.repo.commit({"stack.yml": text(0)})
        added = self.terminal.out("gitops", "add", "s", "--repo", "repo", "--interval", "0", "--webhook")
        self.secret = added.split()[-1]
        self.url = self.terminal.out("gitops", "listen", "127.0.0.1:0").strip() + "/hooks/s"
        self.shared = Path(self.terminal.inspect("s-web-1")["Mounts"][0]["Source"])

    def close(self) -> None:
        self.terminal.run("gitops", "rm", "--down", "-v", "s")
        self.terminal.clear()
        self.terminal.stop_daemon()
        shutil.rmtree(self.layout.run, ignore_errors=True)

    def version(self) -> str:
        try:
            return (self.shared / "version").read_text().strip()
        except OSError:
            return ""

    def hook(self) -> None:
        body = json.dumps({"ref": "refs/heads/main"}).encode()
        signature = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push"}
        with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=10) as answer:
            assert answer.status == 202

    def live(self, version: int) -> tuple[float, float]:
        """Seconds from a webhook to live, and to healthy (the gate passed)."""
        commit = self.repo.commit({"stack.yml": text(version)})
        begun = time.perf_counter()
        self.hook()
        until(lambda: self.version() == str(version), 60, pause=0.002)
        live = time.perf_counter() - begun
        until(lambda: json.loads(self.terminal.out("gitops", "status", "s", "--format", "json"))["stacks"][0]["healthy"] == commit, 60)
        return live, time.perf_counter() - begun

    def kill(self, number: int, moment: float) -> bool:
        """`kill -9` after ``moment`` seconds of a sync (every third commit is a bad one); whether the next sync ends as it should."""
        bad = number % 3 == 0
        before = self.version()
        self.repo.commit({"stack.yml": text(1000 + number, bad=bad), "pad": os.urandom(500_000)})
        going = self.terminal.begin("gitops", "sync", "s")
        time.sleep(moment)
        self.terminal.kill_daemon()
        going.communicate(timeout=60)
        self.terminal.run("gitops", "sync", "s", exit=1 if bad else 0)
        right = before if bad else str(1000 + number)
        status = json.loads(self.terminal.out("gitops", "status", "s", "--format", "json"))
        return self.version() == right and status["state"] == ("rolled back" if bad else "synced")


def line(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered) + 0.5) - 1)]
    middle = f"{name:32} p50 {statistics.median(values):6.3f} s   p95 {p95:6.3f} s"
    return f"{middle}   min {ordered[0]:6.3f}   max {ordered[-1]:6.3f}   n={len(values)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="bg-", dir="/var/tmp"))
    bench = Bench(place)
    try:
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        times = [bench.live(number) for number in range(1, options.commits + 1)]
        if times:
            print(line("webhook to live", [live for live, _ in times]))
            print(line("webhook to healthy (polled)", [healthy for _, healthy in times]))
        moments = random.Random(options.seed)
        ended = [bench.kill(number, moments.uniform(0.0, 2.0)) for number in range(1, options.kills + 1)]
        if ended:
            print(f"{'kill -9 in the middle of a sync':32} {sum(ended)} of {len(ended)} ended right (seed {options.seed})")
    finally:
        bench.close()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
