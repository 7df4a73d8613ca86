"""Requests to the API of one host: addresses, the negotiated version, connections that are used again, errors as kinds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from composer.engine.docker.faults import fault, of
from composer.engine.docker.link import Link
from composer.engine.errors import InvalidArgument, Unavailable

NEWEST = (1, 47)
CONNECT_TIMEOUT = 10.0  # seconds
HEAD_TIMEOUT = 300.0  # seconds until the engine begins to answer what should take a moment
_IDLE = 8  # connections that are kept
_HOST = "composer"

Query = Mapping[str, Any]


class Reply:
    """A response whose head was read; read its body, or `close` it."""

    def __init__(self, client: Client, link: Link, sending: asyncio.Task[None] | None) -> None:
        self._client = client
        self._link = link
        self._sending = sending
        self.status = link.status
        self.headers = link.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._link.pieces():
                yield piece
        finally:
            await self.close()

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    async def json(self) -> Any:
        """Decoded; None when the body is empty."""
        data = await self.read()
        return json.loads(data) if data.strip() else None

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """The objects of a stream of JSON, one a line. The error that a line tells is raised."""
        pending = b""
        pieces = self.pieces()
        try:
            async for piece in pieces:
                pending += piece
                *whole, pending = pending.split(b"\n")
                for line in whole:
                    if line.strip():
                        yield _checked(json.loads(line))
            if pending.strip():
                yield _checked(json.loads(pending))
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    def detach(self) -> Link:
        """The connection itself, for a raw stream; the caller closes it."""
        return self._link

    async def close(self) -> None:
        if self._sending is not None:
            if not self._link.complete:
                self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        await self._client.give_back(self._link)


def _checked(line: dict[str, Any]) -> dict[str, Any]:
    if "error" in line or "errorDetail" in line:
        message = str(line.get("error") or (line.get("errorDetail") or {}).get("message") or "failed")
        raise of(message, 500, line.get("composer") or {})
    return line


class Client:
    """``host``: unix:///PATH or tcp://HOST:PORT."""

    def __init__(self, host: str) -> None:
        if not host.startswith(("unix://", "tcp://")):
            raise InvalidArgument(f"{host!r} is no address of an engine", hint="use unix:///PATH or tcp://HOST:PORT")
        self.host = host
        self._idle: list[Link] = []
        self._prefix = ""
        self._negotiating = asyncio.Lock()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: Any = None,
        stream: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = HEAD_TIMEOUT,
        upgrade: bool = False,
    ) -> Reply:
        """Send a request, read the head of its response. ``body``: to be JSON; ``stream``: bytes, chunked. Raises the kinds of errors."""
        target = (await self._version()) + path + _encoded(query)
        try:
            async with asyncio.timeout(timeout):
                reply = await self._exchange(method, target, body, stream, headers or {}, upgrade)
        except TimeoutError as error:
            raise Unavailable(f"the engine at {self.host} did not answer {method} {path} within {timeout:g} s") from error
        if reply.status >= 400:
            said = await reply.read()
            raise fault(reply.status, said or f"{method} {path}: HTTP status {reply.status}".encode())
        return reply

    async def call(
        self, method: str, path: str, query: Query | None = None, *, body: Any = None, timeout: float | None = HEAD_TIMEOUT
    ) -> Any:
        """A request whose response is one JSON value (None: an empty body)."""
        return await (await self.request(method, path, query, body=body, timeout=timeout)).json()

    async def _version(self) -> str:
        if self._prefix:
            return self._prefix
        async with self._negotiating:
            if not self._prefix:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    reply = await self._exchange("GET", "/_ping", None, None, {}, False)
                await reply.read()
                major, _, minor = reply.headers.get("api-version", "1.24").partition(".")
                version = min(NEWEST, (int(major), int(minor or 0)))
                self._prefix = f"/v{version[0]}.{version[1]}"
        return self._prefix

    async def _exchange(
        self, method: str, target: str, body: Any, stream: AsyncIterator[bytes] | None, headers: Mapping[str, str], upgrade: bool
    ) -> Reply:
        data = None if body is None else json.dumps(body).encode()
        wanted = {"Host": _HOST, **headers}
        if data is not None:
            wanted |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        elif stream is not None:
            wanted |= {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        elif method != "GET":
            wanted["Content-Length"] = "0"
        if upgrade:
            wanted |= {"Connection": "Upgrade", "Upgrade": "tcp"}
        while True:
            link = self._idle.pop() if self._idle else await self._connect()
            sending: asyncio.Task[None] | None = None
            try:
                await link.ask(method, target, wanted, data)
                if stream is not None:
                    sending = asyncio.ensure_future(link.send(stream))
                await link.head(no_body=method == "HEAD")
            except BaseException as error:
                if sending is not None:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
                await link.close()
                if isinstance(error, Unavailable) and link.reused and not link.started and stream is None:
                    continue  # the server had closed the idle connection: nothing of this request was taken
                raise
            return Reply(self, link, sending)

    async def _connect(self) -> Link:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if self.host.startswith("unix://"):
                    reader, writer = await asyncio.open_unix_connection(self.host.removeprefix("unix://"))
                else:
                    name, _, port = self.host.removeprefix("tcp://").rpartition(":")
                    reader, writer = await asyncio.open_connection(name.strip("[]"), int(port))
        except (OSError, ValueError, TimeoutError) as error:
            raise Unavailable(f"cannot reach the engine at {self.host}: {error}", hint="is it running?") from error
        return Link(reader, writer)

    async def give_back(self, link: Link) -> None:
        """Keep the connection for the next request, or close it."""
        if link.reusable and len(self._idle) < _IDLE and link not in self._idle:
            link.reused = True
            self._idle.append(link)
        elif link not in self._idle:
            await link.close()


def _encoded(query: Query | None) -> str:
    """The query as dockerd reads it: what is empty is left out, bools are 1 and 0, mappings are JSON, sequences repeat."""
    found: list[tuple[str, str]] = []
    for name, value in (query or {}).items():
        if value is None or value == "" or (isinstance(value, dict | tuple | list) and not value):
            continue
        if isinstance(value, bool):
            found.append((name, "1" if value else "0"))
        elif isinstance(value, Mapping):
            found.append((name, json.dumps({key: list(item) if isinstance(item, tuple) else item for key, item in value.items()})))
        elif isinstance(value, list | tuple):
            found += [(name, str(item)) for item in value]
        else:
            found.append((name, str(value)))
    return f"?{urlencode(found)}" if found else ""


def part(text: str) -> str:
    """A segment of a path."""
    return quote(text, safe=":@/")
