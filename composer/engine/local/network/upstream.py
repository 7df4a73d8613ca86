"""Asking the host's resolvers (or those that a container names) what is no name of ours.

From the host's namespace, bounded in time and number.

The query's bytes go on as they are but for the id, from a fresh port each, so that a forged answer has to guess both (RFC 5452).
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from composer.engine.local.network.hosts import ResolvConf, is_loopback

_HOST = Path("/etc/resolv.conf")
_SYSTEMD = Path("/run/systemd/resolve/resolv.conf")  # the real servers behind the stub 127.0.0.53 (systemd-resolved.service(8))
_TIMEOUT = 2.0  # seconds for each server
_AT_ONCE = 256


class Upstream:
    """Forwards queries. One for the engine."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._seen: tuple[int, int] = (0, 0)
        self._looked = 0.0
        self._conf = ResolvConf()

    def host(self) -> ResolvConf:
        """The host's resolv.conf; read again when it changed (looked at once a second)."""
        path = _HOST
        now = time.monotonic()
        if now - self._looked < 1.0:
            return self._conf
        self._looked = now
        try:
            status = path.stat()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                self._conf = _read(path)
                self._seen = (status.st_mtime_ns, status.st_ino)
        except OSError:
            self._conf = ResolvConf()
        return self._conf

    def plain(self) -> ResolvConf:
        """The host's resolv.conf as it is written, for what runs in the host's network."""
        return ResolvConf.parse(_HOST.read_text(errors="replace")) if _HOST.exists() else ResolvConf()

    async def ask(self, query: bytes, servers: Sequence[str], *, tcp: bool) -> bytes | None:
        """The answer of the first server that gives one, None when none does in time."""
        if self._free.locked():
            return None  # as many as that are waiting already: say so at once rather than pile up
        async with self._free:
            for server in tuple(servers or self.host().servers)[:3]:
                try:
                    async with asyncio.timeout(_TIMEOUT):
                        return await (_by_tcp(query, server) if tcp else _by_udp(query, server))
                except (OSError, TimeoutError, asyncio.IncompleteReadError):
                    continue
        return None


def _read(path: Path) -> ResolvConf:
    conf = ResolvConf.parse(path.read_text(errors="replace"))
    if conf.servers and all(server == "127.0.0.53" for server in conf.servers) and _SYSTEMD.exists():
        real = ResolvConf.parse(_SYSTEMD.read_text(errors="replace"))
        return ResolvConf(real.servers or conf.servers, conf.search, conf.options)
    return conf


def outside_servers(conf: ResolvConf, *, ipv6: bool) -> tuple[str, ...]:
    """The host's servers that a container can reach by itself."""
    return tuple(server for server in conf.servers if not is_loopback(server) and (ipv6 or ":" not in server))


async def _by_udp(query: bytes, server: str) -> bytes:
    loop = asyncio.get_running_loop()
    own = os.urandom(2)
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect(_endpoint(server))
        udp.send(own + query[2:])
        while True:
            answer = await loop.sock_recv(udp, 65535)
            if len(answer) >= 12 and answer[:2] == own:
                return query[:2] + answer[2:]


async def _by_tcp(query: bytes, server: str) -> bytes:
    host, port = _endpoint(server)[:2]
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.close()


def _endpoint(server: str) -> tuple[str, int]:
    """("address", port); ``server`` may carry a port as "address#port" (for tests and odd resolvers)."""
    address, _, port = server.partition("#")
    return address, int(port or 53)
