"""Copying bytes from a host's socket to a container, for what nft cannot lead (see `ports`).

TCP with half-close; UDP by client, with an idle end.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_CONNECT = 10.0  # seconds
_UDP_IDLE = 90.0  # seconds, as docker-proxy
_UDP_CLIENTS = 1024
_CHUNK = 1 << 16
Target = tuple[str, int]  # address, port


@dataclass
class _Client:
    """A UDP client's socket towards its container. ``used``: loop time of its last datagram."""

    socket: socket.socket
    target: Target
    used: float


class Relay:
    """Serves a bound socket until `close`; connections that are open then are ended. ``choose``: where the next client is to be led;
    None: nowhere now, a connection is closed at once."""

    def __init__(self, one: socket.socket, protocol: str, choose: Callable[[], Target | None]) -> None:
        self._socket = one
        self._choose = choose
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: OrderedDict[Any, _Client] = OrderedDict()
        self._loop.add_reader(one.fileno(), self._accept if protocol == "tcp" else self._datagrams)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        for client in list(self._clients):
            self._forget(client)

    def forget(self, target: Target) -> None:
        """Its UDP clients are led elsewhere from their next datagram on."""
        for client, found in list(self._clients.items()):
            if found.target == target:
                self._forget(client)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._copy(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _copy(self, client: socket.socket) -> None:
        target = self._choose()
        if target is None:
            client.close()
            return
        server = socket.socket(_family(target), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(_CONNECT):
                await self._loop.sock_connect(server, target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(client, server))
                group.create_task(self._pump(server, client))
        except (OSError, TimeoutError, ExceptionGroup):
            return  # one side is gone: closing both tells the other
        finally:
            client.close()
            server.close()

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        while data := await self._loop.sock_recv(source, _CHUNK):
            await self._loop.sock_sendall(sink, data)
        sink.shutdown(socket.SHUT_WR)

    def _datagrams(self) -> None:
        for _ in range(64):
            try:
                data, client = self._socket.recvfrom(65535)
            except BlockingIOError:
                return
            except OSError:
                continue
            toward = self._toward(client)
            try:
                if toward is not None:
                    toward.send(data)
            except OSError:
                continue  # refused or full: UDP may lose it

    def _toward(self, client: Any) -> socket.socket | None:
        """The socket that stands for a client towards the container; the longest idle ones make room."""
        now = self._loop.time()
        known = self._clients.pop(client, None)
        while self._clients:
            oldest, found = next(iter(self._clients.items()))
            if now - found.used < _UDP_IDLE and len(self._clients) < _UDP_CLIENTS:
                break
            self._forget(oldest)
        if known is None:
            target = self._choose()
            if target is None:
                return None
            one = socket.socket(_family(target), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            one.connect(target)
            self._loop.add_reader(one.fileno(), self._back, one, client)
            known = _Client(one, target, now)
        known.used = now
        self._clients[client] = known
        return known.socket

    def _forget(self, client: Any) -> None:
        one = self._clients.pop(client).socket
        self._loop.remove_reader(one.fileno())
        one.close()

    def _back(self, one: socket.socket, client: Any) -> None:
        for _ in range(64):
            try:
                self._socket.sendto(one.recv(65535), client)
            except BlockingIOError:
                return
            except OSError:
                return


def _family(target: Target) -> int:
    return socket.AF_INET6 if ":" in target[0] else socket.AF_INET
