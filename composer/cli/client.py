"""The daemon's client: JSON calls, streams, uploads and hijacked connections, with errors as words for the user.

Paths are Docker's Engine API (without a version prefix) and composer's own ``/composer/v1``. Calls are sequential on one kept
connection; whatever streams for long (`stream`, `hijack`) has a connection of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from composer.cli.address import NoDaemon, connect
from composer.cli.http import Connection, Reply
from composer.errors import ComposerError

JSON = ("Content-Type", "application/json")
TAR = ("Content-Type", "application/x-tar")
CALL_SECONDS = 60.0  # a plain question is answered by then; operations and streams are not limited
Query = Mapping[str, Any]


class ApiError(ComposerError):
    """The daemon refused: ``status`` is the HTTP status, the message the daemon's own."""

    code = "engine.refused"

    def __init__(self, status: int, message: str, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status


class Client:
    """``start``: called once when nothing listens at ``address``; it starts the daemon, or raises."""

    def __init__(self, address: str, start: Callable[[], None] | None = None) -> None:
        self.address = address
        self._start = start
        self._kept: Connection | None = None

    def get(self, path: str, query: Query | None = None, headers: Iterable[tuple[str, str]] = ()) -> Any:
        """The JSON that GET answers with."""
        reply = self._request("GET", path, query, None, headers, CALL_SECONDS)
        self._check(reply)
        return reply.json()

    def post(self, path: str, body: Any = None, query: Query | None = None, timeout: float | None = None) -> Any:
        """The JSON that POST answers with; None when there is none (204, 304)."""
        return self._call("POST", path, query, body, timeout)

    def delete(self, path: str, query: Query | None = None) -> Any:
        return self._call("DELETE", path, query, None, None)

    def head(self, path: str, query: Query | None = None) -> Mapping[str, str]:
        """The headers that HEAD answers with."""
        reply = self._request("HEAD", path, query, None, (), CALL_SECONDS)
        self._check(reply)
        return reply.headers

    def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        upload: Iterable[bytes] | None = None,
        headers: Iterable[tuple[str, str]] = (),
        timeout: float | None = None,
    ) -> Reply:
        """An answer that is read as it comes, on a connection of its own. ``upload``: a body that is sent in pieces; ``timeout``: seconds
        that one send or receive may take."""
        content = upload if upload is not None else None if body is None else json.dumps(body).encode()
        kind = (TAR,) if upload is not None else (JSON,) if body is not None else ()
        connection = self._open()
        connection.sock.settimeout(timeout)
        reply = connection.send(method, target(path, query), content, (*kind, *headers))
        self._check(reply)
        return reply

    def hijack(self, path: str, query: Query | None = None, body: Any = None) -> Reply:
        """A connection that is a raw duplex stream after the answer's head; its buffer may hold the stream's first bytes."""
        content = json.dumps(body).encode() if body is not None else b""
        reply = self._open().send("POST", target(path, query), content, (JSON, ("Connection", "Upgrade"), ("Upgrade", "tcp")))
        self._check(reply)
        return reply

    def close(self) -> None:
        """Let the kept connection go."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _call(self, method: str, path: str, query: Query | None, body: Any, timeout: float | None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        reply = self._request(method, path, query, content, () if content is None else (JSON,), timeout)
        self._check(reply)
        return reply.json()

    def _request(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | None,
        headers: Iterable[tuple[str, str]],
        timeout: float | None,
    ) -> Reply:
        kept, self._kept = self._kept, None
        if kept is not None and not kept.idle():
            kept.close()
            kept = None
        connection = kept or self._open()
        connection.sock.settimeout(timeout)
        reply = connection.send(method, target(path, query), body, headers)
        self._kept = connection
        return reply

    def _open(self) -> Connection:
        try:
            return connect(self.address)
        except NoDaemon:
            if self._start is None:
                raise
        start, self._start = self._start, None
        start()
        return connect(self.address)

    def _check(self, reply: Reply) -> None:
        if reply.status < 400:
            return
        text = reply.read().decode("utf-8", "replace")
        raise _refusal(reply.status, text)


def _refusal(status: int, text: str) -> ApiError:
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    message = said.get("message") or text.strip() or f"the daemon answered with status {status}"
    return ApiError(status, str(message), said.get("hint"), said.get("code"))


def command_error(error: ApiError) -> ApiError:
    """The same error, with the exit code that a shell has for it: 127 when the command does not exist, 126 when it cannot be run."""
    said = error.message.lower()
    if error.code == "engine.command-not-found" or "executable file not found" in said or "no such file or directory" in said:
        error.exit_code = 127
    elif error.code == "engine.command-not-executable" or "permission denied" in said or "is a directory" in said:
        error.exit_code = 126
    return error


def target(path: str, query: Query | None = None) -> str:
    """The request target; of the query's values None is left out, True is 1, False is 0, dicts and lists are JSON."""
    if not query:
        return path
    pairs = []
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = int(value)
        elif isinstance(value, dict):
            value = json.dumps(value)
        for one in value if isinstance(value, list | tuple) else (value,):
            pairs.append(f"{name}={quote(str(one))}")
    return path + ("?" + "&".join(pairs) if pairs else "")


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:")


def quote(text: str) -> str:
    """Percent-encoding of a query value or of a path's segment (RFC 3986; urllib costs 10 ms to import)."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))
