"""The HTTP server: listens on unix sockets (its own, or systemd's), answers by a table of routes."""

from __future__ import annotations

import asyncio
import grp
import os
import socket
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from composer.daemon.connection import Connection, Exchange
from composer.daemon.request import ClientGone
from composer.daemon.response import Answer, json_response, refusal
from composer.daemon.router import Route, Router
from composer.engine.errors import Conflict, InvalidArgument, Unavailable, Unsupported
from composer.errors import ComposerError

GROUPS = ("composer", "docker")  # the first of these that exists may use the socket, beside root

# since Python 3.13 asyncio unlinks a server's socket at its close, systemd's, too
_KEEP: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class Log(Protocol):
    """What the server tells its operator."""

    def error(self, event: str, /, **fields: object) -> object: ...


class Server:
    """``headers``: sent with every response. Start with `listen` or `adopt`; `close` ends all connections."""

    def __init__(self, routes: Sequence[Route], *, log: Log, headers: Mapping[str, str] | None = None) -> None:
        self.head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()
        self._router = Router(routes)
        self._log = log
        self._servers: list[asyncio.Server] = []
        self._sockets: list[Path] = []
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> None:
        """Bind a unix socket: mode 0660, root and the group. A stale socket there is replaced: the caller holds the daemon's lock."""
        sock = bind(path)
        self._sockets.append(path)
        await self.adopt(sock)

    async def adopt(self, sock: socket.socket) -> None:
        """Serve on a socket that already listens or is bound (systemd's)."""
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        if sock.family == socket.AF_UNIX:
            self._servers.append(await loop.create_unix_server(lambda: Connection(self), sock=sock, backlog=512, **_KEEP))
        else:
            raise Unsupported("only unix sockets are served", hint="name the socket unix:///PATH")

    # -- Service ---------------------------------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._tasks.add(connection.task)
        connection.task.add_done_callback(self._tasks.discard)

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def failed(self, what: str, error: BaseException) -> None:
        self._log.error(
            "an answer broke off", request=what, error=str(error), exc_info=error if not isinstance(error, ComposerError) else None
        )

    async def answer(self, exchange: Exchange) -> Answer:
        request = exchange.request
        try:
            route = self._router.find(request)
            exchange.finishes = route.finishes
            return await route.function(request)
        except ClientGone:
            raise
        except ComposerError as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001 (the edge: no traceback reaches a user)
            self._log.error("a request failed", method=request.method, path=request.path, exc_info=error)
            message = f"internal error ({type(error).__name__}) in {request.method} {request.path}; the daemon's log has the details"
            return json_response({"message": message}, 500)

    # -- the end ---------------------------------------------------------------------------------------------------------------

    async def close(self, grace: float = 10.0) -> None:
        """Listen no more, end idle and streaming connections, and give ``grace`` seconds to what finishes."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        for path in self._sockets:
            path.unlink(missing_ok=True)


def bind(path: Path) -> socket.socket:
    """A unix socket at ``path`` that only root and the group can use from its first moment. Unavailable, InvalidArgument."""
    if len(os.fsencode(path)) > 107:
        raise InvalidArgument(f"the socket's path is too long ({len(os.fsencode(path))} bytes, at most 107): {path}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    mask = os.umask(0o022)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        _unlink_stale(path)
        os.umask(0o117)
        sock.bind(str(path))
        group = socket_group()
        if group is not None and os.geteuid() == 0:
            os.chown(path, -1, group)
        sock.listen(512)
    except ComposerError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise Unavailable(f"cannot listen on {path}: {error.strerror}", hint="name another socket with --host unix:///PATH") from error
    finally:
        os.umask(mask)
    return sock


def _unlink_stale(path: Path) -> None:
    """Remove a socket that nobody listens on. Conflict when somebody does."""
    if not path.exists() or not stat.S_ISSOCK(path.lstat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise Conflict(f"another daemon listens on {path}", hint="use that one, or name another --run or --host")


def socket_group() -> int | None:
    """The group that may use the socket; None: root alone."""
    for name in GROUPS:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            continue
    return None
