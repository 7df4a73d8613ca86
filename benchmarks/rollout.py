"""Requests under rolling updates: so many a second against a published port, through many deploys of a service with three replicas.

    python benchmarks/rollout.py [--deploys 20] [--rate 500] [--replicas 3] [--server graceful|naive|nginx] [--json FILE]

Two rounds, one with connections that are kept alive, one with a connection for each request; then a revision that never becomes healthy.
A request that gets no answer in 30 seconds or a wrong one, and a connection that is reset or refused, is an error. The rate is aimed
at; ``rate`` in the results is what a busy machine has let through.
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

SERVER = """\
import asyncio, os, signal
VERSION, NAIVE = os.environ["V"].encode(), os.environ.get("NAIVE")
connections, closing, END = set(), False, bytes((13, 10, 13, 10))
class Http(asyncio.Protocol):
    data = b""
    def connection_made(self, transport):
        self.transport = transport
        connections.add(self)
    def connection_lost(self, error):
        connections.discard(self)
    def data_received(self, data):
        self.data += data
        while END in self.data:
            head, _, self.data = self.data.partition(END)
            keep = not closing and b"connection: close" not in head.lower()
            lines = (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(VERSION), b"Connection: " + (b"keep-alive" if keep else b"close"))
            self.transport.write(END[:2].join(lines) + END + VERSION)
            if not keep: self.transport.close()
async def main():
    global closing
    loop, term = asyncio.get_running_loop(), asyncio.Event()
    await loop.create_server(Http, "0.0.0.0", 8000, backlog=1024)
    loop.add_signal_handler(signal.SIGTERM, (lambda: os._exit(0)) if NAIVE else term.set)
    await term.wait()
    closing = True  # whoever is connected gets its answer, with "Connection: close"
    while connections: await asyncio.sleep(0.02)
asyncio.run(main())
"""

NGINX = """\
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
  keepalive_requests 1000000;
  server { listen 8000; location / { return 200 nginx; } }
}
"""
_PYTHON = "[/usr/bin/python3, -I, -S, /srv/server.py]"
_NGINX = "[/srv/nginx, -c, /srv/nginx.conf, -e, stderr]"

STACK = """\
name: rollout
services:
  web:
    image: bb
    command: {command}
    stop_signal: {signal}
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


_PATIENCE = 30.0  # seconds for an answer
_WORKERS = 50


@dataclass
class Tally:
    """What became of the requests of one round. ``errors``: kind -> how many. Latencies in ms."""

    sent: int = 0
    seconds: float = 0.0
    answered: int = 0
    connections: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list, repr=False)

    def summary(self) -> dict[str, Any]:
        ordered = sorted(self.latencies) or [0.0]
        found = {"sent": self.sent, "answered": self.answered, "connections": self.connections, "errors": dict(self.errors)}
        at = {f"p{p}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 2) for p in (50, 95, 99)}
        found["rate"] = round(self.sent / self.seconds) if self.seconds else 0
        return {**found, **at, "max_ms": round(ordered[-1], 2), "versions": len(self.versions)}


class Exchange(asyncio.Protocol):
    """A connection, and the one request that is on its way on it: `ask` ends with (body, kept), or with the connection's error."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[bytes, bool]] | None = None
        self.transport: asyncio.Transport | None = None
        self.open = False
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.open = transport, True

    def ask(self, request: bytes) -> asyncio.Future[tuple[bytes, bool]]:
        assert self.transport is not None
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split()[0]) if found else 0
        if not found or len(body) < size or self.answer is None or self.answer.done():
            return
        self._data = b""
        if head.startswith(b"HTTP/1.1 200"):
            self.answer.set_result((body, b"connection: close" not in head.lower()))
        else:
            self.answer.set_exception(ValueError(head.split(b"\r\n")[0].decode()))

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionAbortedError("closed before it answered"))


class Load:
    """Sends ``rate`` requests a second until `end`, by `_WORKERS` that wait for their answers. ``tally``: what became of them."""

    def __init__(self, port: int, rate: int, *, keep: bool) -> None:
        self._port, self._keep = port, keep
        self._pause = _WORKERS / rate
        self._idle: deque[Exchange] = deque()
        self._ending = asyncio.Event()
        self._request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n" % (b"keep-alive" if keep else b"close")
        self.tally = Tally()

    def end(self) -> None:
        self._ending.set()

    async def run(self) -> Tally:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(_WORKERS):
                group.create_task(self._work(number * self._pause / _WORKERS))
        for one in self._idle:
            _close(one)
        self.tally.seconds = time.perf_counter() - begun
        return self.tally

    async def _work(self, offset: float) -> None:
        due = time.perf_counter() + offset
        while not self._ending.is_set():
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            due = max(due + self._pause, time.perf_counter() - self._pause)  # what was missed is not made up for
            self.tally.sent += 1
            await self._one()

    async def _one(self) -> None:
        sent = time.perf_counter()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ask()
        except (OSError, ValueError, TimeoutError) as error:
            self.tally.errors[f"{type(error).__name__}: {error}"] += 1
        else:
            self.tally.latencies.append((time.perf_counter() - sent) * 1000)

    async def _ask(self) -> None:
        one = await self._connection()
        try:
            body, kept = await one.ask(self._request)
        except BaseException:
            _close(one)
            raise
        self.tally.answered += 1
        self.tally.versions[body.decode()] += 1
        if kept and self._keep:
            self._idle.append(one)
        else:
            _close(one)

    async def _connection(self) -> Exchange:
        while self._idle:
            one = self._idle.popleft()
            if one.open:
                return one  # else the server ended it while nobody asked: that is its right
        self.tally.connections += 1
        _, one = await asyncio.get_running_loop().create_connection(Exchange, "127.0.0.1", self._port)
        return one


def _close(one: Exchange) -> None:
    if one.transport is not None:
        one.transport.close()


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
        (self.root / "nginx.conf").write_text(NGINX)
        if self.arguments.server == "nginx":
            shutil.copy(self.arguments.nginx, self.root / "nginx")
        text = STACK.format(
            port=self.port,
            directory=self.root,
            replicas=self.arguments.replicas,
            command=_NGINX if self.arguments.server == "nginx" else _PYTHON,
            signal="SIGQUIT" if self.arguments.server == "nginx" else "SIGTERM",
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
    parser.add_argument("--server", choices=["graceful", "naive", "nginx"], default="graceful")
    parser.add_argument("--nginx", type=Path, default=Path("/usr/sbin/nginx"), help="the program, for --server nginx")
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
