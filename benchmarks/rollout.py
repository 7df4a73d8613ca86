"""Requests under rolling updates: so many a second against a published port, through many deploys of a service with three replicas.

    python benchmarks/rollout.py [--deploys 20] [--rate 500] [--replicas 3] [--server graceful|naive] [--json FILE]

Two rounds, one with connections that are kept alive, one with a connection for each request; then a revision that never becomes healthy.
A request that gets no answer, a wrong one, or a connection that is reset or refused is an error. The load is open: what is late is sent all
the same.
The service is python's asyncio from the host (mounted read-only into a busybox image), on an engine of its own: nothing else is touched.
Needs root, /usr/bin/python3 and busybox-static.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.fixtures.busybox import busybox_archive  # noqa: E402

SERVER = """
import asyncio, os, signal
VERSION, NAIVE, closing, connections = os.environ["V"], os.environ.get("NAIVE"), False, set()
async def serve(reader, writer):
    connections.add(asyncio.current_task())
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            keep = b"connection: close" not in head.lower() and not closing
            body = VERSION.encode()
            word = b"keep-alive" if keep else b"close"
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: %s\\r\\n\\r\\n%s" % (len(body), word, body))
            await writer.drain()
            if not keep: return
    except (ConnectionError, asyncio.IncompleteReadError): pass
    finally:
        writer.close(); connections.discard(asyncio.current_task())
async def main():
    global closing
    server, term = await asyncio.start_server(serve, "0.0.0.0", 8000, backlog=1024), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, (lambda: os._exit(0)) if NAIVE else term.set)
    await term.wait()
    closing = True  # whoever is connected gets its answer, with "Connection: close"
    while connections: await asyncio.sleep(0.02)
asyncio.run(main())
"""

STACK = """\
name: rollout
services:
  web:
    image: bb
    command: [/usr/bin/python3, -I, -S, /srv/server.py]
    environment: {{V: "${{V}}", BAD: "${{BAD:-}}", NAIVE: "{naive}"}}
    stop_grace_period: {grace}s
    ports: ["127.0.0.1:{port}:8000"]
    volumes:
      - {{type: bind, source: /usr, target: /usr, read_only: true}}
      - {{type: bind, source: /usr/lib, target: /lib, read_only: true}}
      - {{type: bind, source: /usr/lib64, target: /lib64, read_only: true}}
      - {{type: bind, source: {directory}, target: /srv, read_only: true}}
    healthcheck:
      test: [CMD, /bin/busybox, sh, -c, 'test -z "$$BAD" && busybox wget -q -O- http://127.0.0.1:8000/']
      interval: 1s
      start_interval: 200ms
      start_period: 2s
      retries: 2
    deploy:
      replicas: {replicas}
      update_config: {{order: start-first, failure_action: rollback, monitor: 1s, parallelism: 1}}
"""


@dataclass
class Tally:
    """What became of the requests of one round. ``errors``: kind -> how many. Latencies in ms."""

    sent: int = 0
    answered: int = 0
    connections: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list, repr=False)

    def summary(self) -> dict[str, Any]:
        ordered = sorted(self.latencies) or [0.0]
        found = {"sent": self.sent, "answered": self.answered, "connections": self.connections, "errors": dict(self.errors)}
        at = {f"p{p}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 2) for p in (50, 95, 99)}
        return {**found, **at, "max_ms": round(ordered[-1], 2), "versions": len(self.versions)}


class Load:
    """Sends ``rate`` requests a second until `end`."""

    def __init__(self, port: int, rate: int, *, keep: bool) -> None:
        self._port, self._rate, self._keep = port, rate, keep
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._ending = asyncio.Event()
        self.tally = Tally()

    def end(self) -> None:
        self._ending.set()

    async def run(self) -> Tally:
        loop = asyncio.get_running_loop()
        begun, tasks = loop.time(), set[asyncio.Task[None]]()
        while not self._ending.is_set():
            due = int((loop.time() - begun) * self._rate)
            while self.tally.sent < due:
                self.tally.sent += 1
                task = loop.create_task(self._one())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.002)
        if tasks:
            await asyncio.wait(tasks, timeout=10)
        for _, writer in self._idle:
            writer.close()
        return self.tally

    async def _one(self) -> None:
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(5):
                await self._ask()
            self.tally.latencies.append((time.perf_counter() - sent) * 1000)
        except Exception as error:
            self.tally.errors[type(error).__name__] += 1

    async def _ask(self) -> None:
        reader, writer = await self._connection()
        word = b"keep-alive" if self._keep else b"close"
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n" % word)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            body = await reader.readexactly(size)
            if not head.startswith(b"HTTP/1.1 200"):
                raise ValueError(head.split(b"\r\n")[0].decode())
        except BaseException:
            writer.close()
            raise
        self.tally.answered += 1
        self.tally.versions[body.decode().strip()] += 1
        if b"connection: close" in head.lower() or not self._keep:
            writer.close()
        else:
            self._idle.append((reader, writer))

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.popleft()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()  # the server ended it while nobody asked: that is its right
        self.tally.connections += 1
        return await asyncio.open_connection("127.0.0.1", self._port)


class Bench:
    """An engine of its own, and the stack on it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.root, self.run = (Path(tempfile.mkdtemp(prefix="rollout-", dir=parent)) for parent in ("/var/tmp", "/run"))
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.environment |= {
            "COMPOSER_ROOT": f"{self.root}/state",
            "COMPOSER_RUN": str(self.run),
            "COMPOSER_HOST": f"unix://{self.run}/composer.sock",
            "COMPOSER_POOL": "10.222.0.0/20",
            "PYTHONPATH": str(HERE.parent),
        }
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]

    def prepare(self) -> None:
        (self.root / "server.py").write_text(SERVER)
        text = STACK.format(
            port=self.port,
            directory=self.root,
            replicas=self.arguments.replicas,
            naive="1" if self.arguments.server == "naive" else "",
            grace=self.arguments.grace,
        )
        (self.root / "stack.yml").write_text(text)
        (self.root / "bb.tar").write_bytes(busybox_archive())
        self.composer("image", "load", "-i", f"{self.root}/bb.tar")
        self.composer("up", "-d", "--wait", V="0")

    def composer(self, *words: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "composer.cli.main", "-f", f"{self.root}/stack.yml", *words]
        if words[0] in ("image", "engine"):
            command = [sys.executable, "-m", "composer.cli.main", *words]
        done = subprocess.run(
            command, env={**self.environment, "V": "0", **variables}, capture_output=True, text=True, timeout=300, check=False
        )
        if check and done.returncode != 0:
            raise SystemExit(f"composer {' '.join(words)}: {done.stderr}")
        return done

    async def round(self, *, keep: bool) -> dict[str, Any]:
        """All deploys under load."""
        load = Load(self.port, self.arguments.rate, keep=keep)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(load.run())
            await asyncio.sleep(1)
            begun = time.monotonic()
            try:
                for number in range(1, self.arguments.deploys + 1):
                    await asyncio.to_thread(self.composer, "up", "-d", V=f"{'k' if keep else 'n'}{number}")
            finally:
                seconds = time.monotonic() - begun
                await asyncio.sleep(1)
                load.end()
        return {"keep_alive": keep, "deploys": self.arguments.deploys, "seconds": round(seconds, 1), **task.result().summary()}

    async def bad(self) -> dict[str, Any]:
        """A revision that never becomes healthy."""
        load = Load(self.port, self.arguments.rate, keep=False)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(load.run())
            await asyncio.sleep(0.5)
            first = await asyncio.to_thread(self.composer, "up", "-d", check=False, V="bad", BAD="1")
            again = await asyncio.to_thread(self.composer, "up", "-d", check=False, V="bad", BAD="1")
            load.end()
        history = await asyncio.to_thread(self.composer, "history", check=False)
        return {
            "exit": first.returncode,
            "said": first.stderr.strip().splitlines()[-2:],
            "again_exit": again.returncode,
            "again_said": again.stderr.strip().splitlines()[-2:],
            "history": history.stdout.splitlines()[:3],
            **task.result().summary(),
        }

    def close(self) -> None:
        self.composer("down", check=False)
        self.composer("engine", "stop", check=False)
        for directory in (self.run, self.root):
            shutil.rmtree(directory, ignore_errors=True)


async def measure(bench: Bench) -> dict[str, Any]:
    await asyncio.to_thread(bench.prepare)
    found: dict[str, Any] = {"load": vars(bench.arguments) | {"json": None}}
    for name, keep in (("connection_each", False), ("keep_alive", True)):
        found[name] = await bench.round(keep=keep)
        print(name, json.dumps(found[name]), flush=True)
    found["bad"] = await bench.bad()
    print("bad", json.dumps(found["bad"], indent=1), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deploys", type=int, default=20)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--grace", type=int, default=2, help="stop_grace_period in seconds")
    parser.add_argument("--server", choices=["graceful", "naive"], default="graceful")
    parser.add_argument("--json", type=Path)
    bench = Bench(parser.parse_args())
    try:
        found = asyncio.run(measure(bench))
    finally:
        bench.close()
    if bench.arguments.json:
        bench.arguments.json.write_text(json.dumps(found, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
