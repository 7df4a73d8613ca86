"""The door for webhooks and scrapes on TCP: off unless asked for, and nothing else can be reached through it.

``POST /hooks/NAME``, ``GET /metrics``, ``GET /healthz``. Connections are bounded in number and in time, bodies in size and in time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from composer.daemon.connection import Connection, Exchange
from composer.daemon.request import ClientGone
from composer.daemon.response import Answer, json_response, refusal
from composer.daemon.router import Route, Router
from composer.engine.errors import InvalidArgument, Unavailable
from composer.errors import ComposerError
from composer.gitops.ground import Log

_CONNECTIONS = 64
_LIFE = 30.0  # seconds of a connection, whatever it does
_ANSWER = 15.0  # seconds of one request


class Listener:
    """`open` it at an address; `close` ends all connections. ``head``: sent with every answer."""

    head = b"Server: composer\r\n"

    def __init__(self, routes: Sequence[Route], log: Log) -> None:
        self._router = Router(routes)
        self._log = log
        self._server: asyncio.Server | None = None
        self._connections: dict[Connection, asyncio.TimerHandle] = {}
        self.address = ""

    async def open(self, text: str) -> None:
        """``text``: HOST:PORT, [HOST]:PORT. InvalidArgument; Unavailable: it cannot be listened on."""
        host, port = split(text)
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: Connection(self), host, port, backlog=64, reuse_address=True)
        except (OSError, socket.gaierror) as error:
            raise Unavailable(f"cannot listen on {text}: {error.strerror or error}", hint="name another address") from error
        await self.close()
        self._server = server
        name = server.sockets[0].getsockname()
        self.address = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
        self._log.info("gitops listens for webhooks", address=self.address)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server, self.address = None, ""
        for connection, timer in list(self._connections.items()):
            timer.cancel()
            connection.close()
        await asyncio.sleep(0)

    # What a Connection asks of its service.

    def opened(self, connection: Connection) -> None:
        self._connections[connection] = asyncio.get_running_loop().call_later(_LIFE, connection.close)
        if len(self._connections) > _CONNECTIONS:
            connection.close()

    def closed(self, connection: Connection) -> None:
        timer = self._connections.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def failed(self, what: str, error: BaseException) -> None:
        self._log.error("an answer to the network broke off", request=what, error=str(error))

    async def answer(self, exchange: Exchange) -> Answer:
        request = exchange.request
        exchange.keep_alive = False
        try:
            async with asyncio.timeout(_ANSWER):
                return await self._router.find(request).function(request)
        except ClientGone:
            raise
        except TimeoutError:
            return json_response({"message": "the request did not come in time"}, 408)
        except ComposerError as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001 (the edge: no traceback reaches a stranger)
            self._log.error("a request from the network failed", path=request.path, exc_info=error)
            return json_response({"message": "internal error"}, 500)


def split(text: str) -> tuple[str, int]:
    """The host and port of an address. InvalidArgument."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise InvalidArgument(f"not an address to listen on: {text!r}", hint="such as 127.0.0.1:9300 or [::1]:9300")
    return host, int(port)
