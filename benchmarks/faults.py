"""Planted faults: what is broken behind a stack's back, how long until it is healed or reported, and what `why` and `drift` say of it.

    python benchmarks/faults.py [--resync 2] [--only NAME]... [--json FILE] [--markdown FILE]

The real command line and daemon, on an engine of its own: nothing else is touched. Needs root, nft, ip, nsenter and busybox-static.
``resync``: seconds between two looks at everything (60 by default in a daemon): what no event of the kernel tells waits for the next one.
Exit code 1: a fault was neither healed nor reported.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from composer.engine.local.layout import Layout  # noqa: E402
from tests.fixtures.busybox import busybox_archive  # noqa: E402
from tests.scenarios.terminal import Terminal, free_ports, page, until  # noqa: E402

LIMIT = 30.0  # seconds for one fault
STACK = """
name: f
x-all: &all {image: bb, stop_signal: SIGKILL}
services:
  db:
    <<: *all
    command: [sleep, "99999"]
    mem_limit: 100m
    labels: {team: blue}
    volumes: ["data:/data"]
  web:
    <<: *all
    command: [httpd, -f, -p, "80", -h, /etc]
    restart: always
    ports: ["127.0.0.1:PORT:80"]
  ill:
    <<: *all
    command: [sh, -c, "touch /ok; sleep 99999"]
    restart: always
    healthcheck: {test: [CMD-SHELL, "echo asked; test -e /ok"], interval: 500ms, retries: 2}
  loop:
    <<: *all
    command: [sh, -c, "[ -e /flags/bad ] && { echo no configuration; exit 3; }; sleep 99999"]
    restart: always
    volumes: ["flags:/flags"]
volumes: {data: {}, flags: {}}
"""


@dataclass
class Row:
    """What came of a fault."""

    fault: str
    service: str
    expected: str
    seconds: float = 0.0
    result: str = ""
    drift: str = ""
    why: str = ""


@dataclass
class Bench:
    """The stack is up; faults are planted by its methods."""

    terminal: Terminal
    port: int
    rows: list[Row] = field(default_factory=list)

    # Looking.

    def run(self, *words: str) -> None:
        subprocess.run(words, check=True, timeout=20, capture_output=True)

    def inspect(self, service: str) -> dict[str, Any]:
        """Asked of the socket itself: a command takes longer than most faults."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(f"{self.terminal.layout.run}/s")
            connection.request("GET", f"/containers/f-{service}-1/json")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return found

    def pid(self, service: str) -> int:
        return int(self.inspect(service)["State"]["Pid"])

    def ident(self, service: str) -> str:
        return str(self.inspect(service)["Id"])

    def nsenter(self, service: str, what: str, *words: str) -> None:
        self.run("nsenter", "-t", str(self.pid(service)), what, *words)

    def answers(self) -> bool:
        return page(self.port, "/os-release", timeout=0.5).startswith("NAME")

    def drifts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.terminal.out("drift", "--format", "json", "-n", "-1").splitlines()]

    def nft(self) -> str:
        return subprocess.run(
            ["nft", "-s", "list", "table", "inet", self.terminal.layout.table], capture_output=True, text=True, timeout=10, check=False
        ).stdout

    # The faults: each plants one and gives the check that it is dealt with.

    def process_killed(self) -> Callable[[], Any]:
        before = self.pid("web")
        os.kill(before, signal.SIGKILL)
        return lambda: self.answers() and self.pid("web") not in (0, before)

    def container_removed(self) -> Callable[[], Any]:
        self.terminal.run("container", "rm", "-f", "f-web-1")
        return self.answers

    def network_detached(self) -> Callable[[], Any]:
        self.terminal.run("network", "disconnect", "-f", "f_default", "f-db-1")
        return lambda: "f_default" in self.inspect("db")["NetworkSettings"]["Networks"]

    def volume_mount_gone(self) -> Callable[[], Any]:
        self.nsenter("db", "-m", "umount", "/data")
        return lambda: (
            self.pid("db") and any(" /data " in line for line in Path(f"/proc/{self.pid('db')}/mountinfo").read_text().splitlines())
        )

    def nft_table_flushed(self) -> Callable[[], Any]:
        before = self.nft()
        self.run("nft", "flush", "table", "inet", self.terminal.layout.table)
        return lambda: self.nft() == before and self.answers()

    def bridge_deleted(self) -> Callable[[], Any]:
        bridge = self.terminal.layout.bridge(self.terminal.out("network", "inspect", "f_default", "--format", "{{.Id}}").strip())
        index = socket.if_nametoindex(bridge)
        self.run("ip", "link", "del", bridge)
        return lambda: any(name == bridge and number != index for number, name in socket.if_nameindex()) and self.answers()

    def netns_deleted(self) -> Callable[[], Any]:
        pin = self.terminal.layout.netns(self.ident("db"))
        self.run("umount", str(pin))
        pin.unlink()
        return lambda: pin.exists() and pin.stat().st_dev != pin.parent.stat().st_dev

    def interface_deleted(self) -> Callable[[], Any]:
        self.nsenter("db", "-n", "ip", "link", "del", "eth0")
        return lambda: self.does_ping("db")

    def interface_down(self) -> Callable[[], Any]:
        self.nsenter("db", "-n", "ip", "link", "set", "eth0", "down")
        return lambda: self.does_ping("db")

    def does_ping(self, service: str) -> bool:
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid(service)), "-n", "ip", "-4", "route", "get", "1.1.1.1"],
            capture_output=True,
            timeout=10,
            check=False,
        )
        return done.returncode == 0

    def limit_altered(self) -> Callable[[], Any]:
        file = self.limit_file("db")
        file.write_text(str(50 << 20))
        return lambda: file.read_text().strip() == str(100 << 20)

    def limit_file(self, service: str) -> Path:
        lines = [line.split(":", 2) for line in Path(f"/proc/{self.pid(service)}/cgroup").read_text().splitlines()]
        path = next((path for _, names, path in lines if "memory" in names.split(",")), None)
        if path is not None:
            return Path(f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes")
        return Path(f"/sys/fs/cgroup{lines[0][2]}/memory.max")

    def health_failing(self) -> Callable[[], Any]:
        self.terminal.run("exec", "-T", "ill", "rm", "/ok")
        until(lambda: self.inspect("ill")["State"]["Health"]["Status"] == "unhealthy", 10)
        return lambda: self.inspect("ill")["State"]["Health"]["Status"] == "healthy"

    def crash_loop(self) -> Callable[[], Any]:
        self.terminal.run("exec", "-T", "loop", "touch", "/flags/bad")
        os.kill(self.pid("loop"), signal.SIGKILL)
        return lambda: any(row["Kind"] == "crash-loop" for row in self.drifts())

    def label_altered(self) -> Callable[[], Any]:
        """Labels are changed by nobody's command: by hand, in the engine's state, while the daemon does not run."""
        ident = self.ident("db")
        self.terminal.stop_daemon()
        with sqlite3.connect(self.terminal.layout.database) as state:
            doc = json.loads(state.execute("SELECT doc FROM rows WHERE kind = 'container' AND key = ?", (ident,)).fetchone()[0])
            doc["config"]["Labels"]["team"] = "red"
            state.execute("UPDATE rows SET doc = ? WHERE kind = 'container' AND key = ?", (json.dumps(doc), ident))
        state.close()
        self.terminal.run("engine", "start")
        return lambda: self.inspect("db")["Config"]["Labels"]["team"] == "blue"

    def image_removed(self) -> Callable[[], Any]:
        self.terminal.run("image", "rm", "-f", "bb:latest")
        return lambda: any(row["Kind"] == "image" for row in self.drifts())

    # One after the other.

    def plant(self, name: str, service: str, expected: str) -> Row:
        row = Row(name, service, expected)
        self.rows.append(row)
        seen = len(self.drifts())
        began = time.monotonic()
        check = getattr(self, name)()
        if name == "health_failing":
            began = time.monotonic()  # from the moment at which it is known to be ill
        try:
            until(lambda: self.holds(check), LIMIT, pause=0.01)
            row.seconds = time.monotonic() - began
            row.result = expected
        except AssertionError:
            row.seconds, row.result = LIMIT, "neither healed nor reported"
        new = self.told(service, seen)
        row.drift = (
            "; ".join(f"{one['What']} [found by {one['Found']}] {one['Result']}" for one in new[:2]) or "(nothing: the engine's policy)"
        )
        row.why = self.terminal.out("why", service).splitlines()[0].split("   ")[0]
        return row

    def told(self, service: str, seen: int) -> list[dict[str, Any]]:
        """What the history has to say of it: it is written a moment behind the act; of what the engine does by itself, nothing."""
        with suppress(AssertionError):
            until(lambda: len(self.drifts()) > seen, 2)
        return [one for one in self.drifts()[seen:] if one["Service"] in (service, "")]

    def holds(self, check: Callable[[], Any]) -> bool:
        try:
            return bool(check())
        except (AssertionError, OSError, KeyError, IndexError, ValueError, http.client.HTTPException):
            return False  # it is between two containers


FAULTS = (
    ("process_killed", "web", "healed"),
    ("container_removed", "web", "healed"),
    ("network_detached", "db", "healed"),
    ("volume_mount_gone", "db", "healed"),
    ("nft_table_flushed", "web", "healed"),
    ("bridge_deleted", "web", "healed"),
    ("netns_deleted", "db", "healed"),
    ("interface_deleted", "db", "healed"),
    ("interface_down", "db", "healed"),
    ("limit_altered", "db", "healed"),
    ("health_failing", "ill", "healed"),
    ("label_altered", "db", "healed"),
    ("crash_loop", "loop", "reported"),
    ("image_removed", "db", "reported"),
)


def measure(resync: float, only: list[str], directory: Path) -> list[Row]:
    """Bring the stack up on an engine of its own, plant the faults, take all of it away."""
    root = Path(tempfile.mkdtemp(prefix="cf-", dir="/var/tmp"))
    run = Path(tempfile.mkdtemp(prefix="cf-", dir="/run"))
    layout = Layout(root, run, pool=f"10.213.{int.from_bytes(os.urandom(1), 'big') & 0xF0}.0/20", pool6="fd6d:7063:fa::/48")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    terminal = Terminal(layout, directory, {"COMPOSER_RESYNC": f"{resync:g}"})
    try:
        archive = directory / "bb.tar"
        archive.write_bytes(busybox_archive())
        terminal.run("image", "load", "-i", str(archive))
        with free_ports(1) as (port,):
            terminal.stack(STACK.replace("PORT", str(port)))
        terminal.run("up", "-d")
        bench = Bench(terminal, port)
        until(bench.answers, 20)
        for name, service, expected in FAULTS:
            if not only or name in only:
                row = bench.plant(name, service, expected)
                print(f"{row.fault:20} {row.result:10} {row.seconds:7.3f} s  {row.drift}", file=sys.stderr)
        return bench.rows
    finally:
        terminal.clear()
        terminal.stop_daemon()
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


def markdown(rows: list[Row], resync: float) -> str:
    """The results as a table."""
    lines = [f"Planted faults, a look at everything each {resync:g} s; seconds from the fault to its end.", ""]
    lines += ["| fault | service | result | seconds | composer drift | composer why |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = (row.fault.replace("_", " "), row.service, row.result, f"{row.seconds:.2f}", row.drift, row.why)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resync", type=float, default=2.0)
    parser.add_argument("--only", action="append", default=[], choices=[name for name, _, _ in FAULTS])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cf-") as directory:
        rows = measure(chosen.resync, chosen.only, Path(directory))
    text = markdown(rows, chosen.resync)
    print(text, end="")
    if chosen.json:
        chosen.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n")
    if chosen.markdown:
        chosen.markdown.write_text(text)
    return 0 if all(row.result == row.expected for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
