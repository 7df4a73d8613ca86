"""One connection: HTTP/1.1 by httptools on an asyncio Protocol (FACTS 5), one exchange after the other.

Words: an *exchange* is a request and its answer. Requests that come ahead of their turn (pipelining) wait. A connection that is
*raw* has left HTTP (attach, exec). Source: RFC 9112; for the upgrade: moby api/server/router/container (hijackServer).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast
from urllib.parse import unquote

import httptools

from composer.daemon.channel import RawChannel
from composer.daemon.query import Query
from composer.daemon.request import Body, ClientGone, Request
from composer.daemon.response import Answer, Response, Upgrade, close, json_response
from composer.daemon.router import split_version

HEAD_LIMIT = 256 << 10  # bytes of request line and headers
HEAD_TIMEOUT = 30.0  # seconds from the first byte of a request to the end of its headers
_AHEAD_LIMIT = 256 << 10  # bytes that a client may send ahead of its turn before reading is paused
_WRITE_HIGH = 256 << 10
_DRAIN_TIMEOUT = 5.0  # seconds that an unread body may take to pass after the answer was sent
# docker-py loses what comes in one read with the head of a raw stream (its buffered reader is passed by): let it read the head alone
_FORGETFUL, _FORGETFUL_PAUSE = "docker-sdk-python", 0.05
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass
class Exchange:
    """``finishes``: the route's function runs to its end even when the client goes away."""

    request: Request
    keep_alive: bool
    http10: bool
    finishes: bool = False


class Service(Protocol):
    """What a connection asks of the server."""

    head: bytes  # header lines of every response

    async def answer(self, exchange: Exchange) -> Answer:
        """Raises nothing but ClientGone and CancelledError."""
        ...

    def opened(self, connection: Connection) -> None: ...
    def closed(self, connection: Connection) -> None: ...
    def failed(self, what: str, error: BaseException) -> None:
        """Log it: an answer broke off."""
        ...


class Connection(asyncio.Protocol):
    """Feeds the parser, runs the exchanges in order, writes the answers. ``task`` is the one task of this connection."""

    task: asyncio.Task[None]

    def __init__(self, service: Service) -> None:
        self._service = service
        self._queue: deque[Exchange] = deque()
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._ahead = bytearray()
        self._channel: RawChannel | None = None
        self._current: Exchange | None = None  # the one that is answered now
        self._receiving: Body | None = None
        self._in_head = False
        self._head_size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._eof = False
        self._left = 0  # bytes of an upgrade's body that are still to come
        self._lost = False
        self._last = False  # close after the current answer
        self._sent = False  # something of the current answer was sent
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}

    # -- the transport's calls -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self.task = asyncio.ensure_future(self._run())
        self._service.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._channel is not None:
            self._feed_raw(data)
        elif self._receiving is None and not self._in_head and (self._current or self._queue):
            self._ahead += data
            if len(self._ahead) > _AHEAD_LIMIT:
                self._transport.pause_reading()
        else:
            self._parse(data)

    def _feed_raw(self, data: bytes) -> None:
        """Bytes after the head of an upgrade: first the request's body, which the parser leaves to us, then the raw stream."""
        if self._left and self._receiving is not None:
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            self._receiving.feed(part)
            if not self._left:
                self.on_message_complete()
        if data and self._channel is not None:
            self._channel.feed(data)

    def eof_received(self) -> bool:
        """A client that sends no more is gone, unless the connection is raw: then only its half has ended."""
        self._eof = True
        if self._channel is None or self._left:
            return False
        self._channel.feed_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._writable.set()
        self._more.set()
        self._stop_timer()
        if self._receiving is not None:
            self._receiving.end(broken=True)
        if self._channel is not None:
            self._channel.feed_eof()
        if self._current is None or not self._current.finishes:
            self.task.cancel()
        self._service.closed(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # -- the parser's calls ----------------------------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        if self._in_head or self._receiving is None:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._channel = RawChannel(self._transport, self.write, self._pause)
            self._feed_raw(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(400, f"malformed HTTP request: {error}")
        if self._in_head and self._head_size > HEAD_LIMIT:
            self._refuse(431, f"the request's headers are larger than {HEAD_LIMIT} bytes")

    def _refuse(self, status: int, message: str) -> None:
        """Nothing of this connection can be understood any more: say so and close."""
        if self._transport.is_closing():
            return
        if not self._sent and self._current is None:
            answer = json_response({"message": message}, status)
            self._transport.write(self._head(answer, "Connection: close\r\n"))
            self._transport.write(cast(bytes, answer.body))
        self._transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._url, self._headers = True, b"", {}
        self._timer = asyncio.get_running_loop().call_later(HEAD_TIMEOUT, self._refuse, 408, "the request's headers did not come in time")

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._in_head, self._head_size = False, 0
        self._stop_timer()
        path, _, query = self._url.decode("latin-1").partition("?")
        if "://" in path:
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        version, path = split_version(unquote(path))
        expects = self._headers.get("expect", "").lower() == "100-continue"
        body = Body(self._pause, self._continue if expects else _nothing)
        request = Request(self._parser.get_method().decode(), path, Query(query), self._headers, body, version)
        request.upgrade = self._parser.should_upgrade()
        if request.upgrade:
            length = self._headers.get("content-length", "0")
            self._left = int(length) if length.isdigit() else 0
        http10 = self._parser.get_http_version() == "1.0"
        self._receiving = body
        self._queue.append(Exchange(request, self._parser.should_keep_alive(), http10))
        self._more.set()

    def on_body(self, data: bytes) -> None:
        if self._receiving is not None:
            self._receiving.feed(data)

    def on_message_complete(self) -> None:
        if self._receiving is not None and not self._left:
            self._receiving.end()
            self._receiving = None

    def _continue(self) -> None:
        if not self._sent and not self._lost:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _pause(self, paused: bool) -> None:
        if self._lost or self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- the exchanges ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not self._lost:
                if not self._queue:
                    self._more.clear()
                    await self._more.wait()
                    continue
                self._current = self._queue.popleft()
                self._sent = False
                stay = await self._exchange(self._current)
                self._current = None
                if self._last or not stay:
                    break
                self._resume()
        except ClientGone:
            pass
        finally:
            self._current = None
            self._transport.close()

    def _resume(self) -> None:
        """Take up what came ahead of its turn."""
        if self._ahead:
            data = bytes(self._ahead)
            self._ahead.clear()
            self._pause(False)
            self._parse(data)

    async def _exchange(self, exchange: Exchange) -> bool:
        """Answer one request; False when the connection is to be closed then."""
        answer = await self._service.answer(exchange)
        if isinstance(answer, Upgrade):
            await self._take_over(exchange, answer)
            return False
        stay = exchange.keep_alive and not exchange.http10 and self._channel is None
        await self._send(exchange, answer, stay)
        body = exchange.request.body
        if not body.ended:
            stay = stay and await self._pass(body)
        body.discard()
        return stay

    async def _pass(self, body: Body) -> bool:
        """Let a body go by that nobody read, so that the client comes to read the answer; False when it takes too long."""
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                async for _ in body:
                    pass
        except TimeoutError:
            return False
        return True

    async def _take_over(self, exchange: Exchange, answer: Upgrade) -> None:
        if self._channel is None:
            self._channel = RawChannel(self._transport, self.write, self._pause)
            self._channel.feed(bytes(self._ahead))
            if self._eof:
                self._channel.feed_eof()
        kind = f"Content-Type: {answer.content_type}\r\n"
        if exchange.request.upgrade:
            head = f"HTTP/1.1 101 UPGRADED\r\n{kind}Connection: Upgrade\r\nUpgrade: tcp\r\n"
        else:
            head = f"HTTP/1.1 200 OK\r\n{kind}"
        self._sent = True
        await self.write(head.encode() + self._service.head + b"\r\n")
        if _FORGETFUL in exchange.request.headers.get("user-agent", ""):
            await asyncio.sleep(_FORGETFUL_PAUSE)
        try:
            await answer.serve(self._channel)
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 (the edge: after the head nothing can be said to the client)
            self._service.failed("a raw stream", error)

    async def _send(self, exchange: Exchange, answer: Response, stay: bool) -> None:
        ending = "" if stay else "Connection: close\r\n"
        self._sent = True
        if isinstance(answer.body, bytes):
            body = b"" if exchange.request.method == "HEAD" else answer.body
            await self.write(self._head(answer, ending) + body)
            return
        chunked = not exchange.http10
        await self.write(self._head(answer, ending + ("Transfer-Encoding: chunked\r\n" if chunked else "")))
        try:
            if exchange.request.method != "HEAD":
                async for piece in answer.body:
                    if piece:
                        await self.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                await self.write(b"0\r\n\r\n")
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 (the edge: the head is out, a broken-off body is all that can be told)
            self._service.failed(f"{exchange.request.method} {exchange.request.path}", error)
            self._transport.abort()
        finally:
            await close(answer.body)

    def _head(self, answer: Response, extra: str) -> bytes:
        lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}\r\n"]
        if answer.content_type:
            lines.append(f"Content-Type: {answer.content_type}\r\n")
        lines += [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
        if isinstance(answer.body, bytes) and answer.status not in (204, 304):
            lines.append(f"Content-Length: {len(answer.body)}\r\n")
        return ("".join(lines) + extra).encode("latin-1") + self._service.head + b"\r\n"

    async def write(self, data: bytes) -> None:
        """Send, and wait while the client does not keep up. ClientGone."""
        if self._lost or self._transport.is_closing():
            raise ClientGone
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()
        if self._lost:
            raise ClientGone

    def close(self) -> None:
        """End it: at once, or after the answer of what `finishes`."""
        if self._current is not None and self._current.finishes:
            self._last = True
        else:
            self._transport.close()


def _nothing() -> None:
    return
