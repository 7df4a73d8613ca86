"""Copying bytes from a host's socket to a container, for what nft cannot lead (see `ports`).

TCP with half-close; UDP by client, with an idle end.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from typing import Any

_CONNECT = 10.0  # seconds
_UDP_IDLE = 90.0  # seconds, as docker-proxy
_UDP_CLIENTS = 1024
_CHUNK = 1 << 16


class Relay:
    """Serves a bound socket until `close`; connections that are open then are ended."""

    def __init__(self, one: socket.socket, protocol: str, address: str, port: int) -> None:
        self._socket = one
        self._target = (address, port)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: OrderedDict[Any, tuple[socket.socket, float]] = OrderedDict()
        self._loop.add_reader(one.fileno(), self._accept if protocol == "tcp" else self._datagrams)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        for client in list(self._clients):
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
        family = socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET
        server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(_CONNECT):
                await self._loop.sock_connect(server, self._target)
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
            try:
                self._toward(client).send(data)
            except OSError:
                continue  # refused or full: UDP may lose it

    def _toward(self, client: Any) -> socket.socket:
        """The socket that stands for a client towards the container; the longest idle ones make room."""
        now = self._loop.time()
        known = self._clients.pop(client, None)
        while self._clients:
            oldest, (_, used) = next(iter(self._clients.items()))
            if now - used < _UDP_IDLE and len(self._clients) < _UDP_CLIENTS:
                break
            self._forget(oldest)
        if known is None:
            one = socket.socket(socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            one.connect(self._target)
            self._loop.add_reader(one.fileno(), self._back, one, client)
        else:
            one = known[0]
        self._clients[client] = (one, now)
        return one

    def _forget(self, client: Any) -> None:
        one, _ = self._clients.pop(client)
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
