"""The name server at 127.0.0.11 in every sandbox: sockets in the container's namespace, served by the daemon's loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.engine.local.network.answer import SERVFAIL, Question, answer, parse, refuse
from composer.engine.local.network.upstream import Upstream
from composer.engine.local.network.zone import Zone

_CLIENTS = 64  # TCP connections and forwarded queries of one sandbox at once
_IDLE = 10.0  # seconds without a query, then a TCP connection is closed
_BURST = 64  # datagrams read in one go, so that one container cannot hold the loop


@dataclass(frozen=True)
class View:
    """What a container sees: its networks' zones in order, its own links, its servers (empty: the host's).

    ``forward``: False when it is on `internal` networks only, which lead nowhere.
    """

    zones: Sequence[Zone]
    links: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[str, ...] = ()
    forward: bool = True


class Resolver:
    """Serves one sandbox until `close`. ``view``: asked at each query, as networks come and go."""

    def __init__(self, udp: socket.socket, tcp: socket.socket, view: Callable[[], View], upstream: Upstream) -> None:
        self._udp, self._tcp, self._view, self._upstream = udp, tcp, view, upstream
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop.add_reader(udp.fileno(), self._read)
        self._loop.add_reader(tcp.fileno(), self._accept)

    def close(self) -> None:
        """Stop answering; nothing of it stays open."""
        for one in (self._udp, self._tcp):
            if one.fileno() >= 0:
                self._loop.remove_reader(one.fileno())
                one.close()
        for task in self._tasks:
            task.cancel()

    def _read(self) -> None:
        for _ in range(_BURST):
            try:
                query, client = self._udp.recvfrom(4096)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue
            question = parse(query)
            reply = self._own(query, question, tcp=False)
            if reply is not None:
                self._send(reply, client)
            elif len(self._tasks) < _CLIENTS:
                self._spawn(self._forward(query, question, client))

    def _send(self, reply: bytes, client: Any) -> None:
        try:
            self._udp.sendto(reply, client)
        except OSError:
            return  # the client is gone, or its buffer is full: it asks again, as UDP has it

    def _own(self, query: bytes, question: Question | None, *, tcp: bool) -> bytes | None:
        """Our answer, or None: to be forwarded."""
        if len(query) < 12:
            return refuse(query.ljust(12, b"\0"), None, SERVFAIL)
        view = self._view()
        if question is not None:
            reply = answer(query, question, view.zones, view.links, tcp=tcp)
            if reply is not None:
                return reply
        return None if view.forward else refuse(query, question, SERVFAIL)

    async def _forward(self, query: bytes, question: Question | None, client: Any) -> None:
        reply = await self._upstream.ask(query, self._view().servers, tcp=False)
        if self._udp.fileno() >= 0:
            self._send(reply or refuse(query, question, SERVFAIL), client)

    def _accept(self) -> None:
        try:
            connection, _ = self._tcp.accept()
        except OSError:
            return
        if len(self._tasks) >= _CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        self._spawn(self._serve(connection))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        """One TCP client: queries with a length before each (RFC 7766)."""
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
        except OSError:
            connection.close()
            return
        try:
            while True:
                async with asyncio.timeout(_IDLE):
                    query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                question = parse(query)
                reply = self._own(query, question, tcp=True)
                if reply is None:
                    reply = await self._upstream.ask(query, self._view().servers, tcp=True) or refuse(query, question, SERVFAIL)
                writer.write(len(reply).to_bytes(2, "big") + reply)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
