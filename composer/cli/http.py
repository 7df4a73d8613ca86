"""HTTP/1.1 on a plain socket, as far as the daemon needs it: one request at a time, answers read as they come (RFC 9112).

No http.client: it costs 30 ms to import, which is a third of a whole `composer ps`. A **Connection** sends requests one after
the other; a **Reply** is the answer, read once (whole, in pieces, or line by line) before the next request may be sent.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from composer.errors import ComposerError

MAX_HEAD = 64 * 1024  # bytes of status line and headers
MAX_LINE = 64 * 1024 * 1024  # bytes of one NDJSON line (a `config` result holds a whole stack)
PIECE = 64 * 1024


class WireError(ComposerError):
    """The other end does not speak HTTP as it should, or hung up."""

    code = "cli.wire"


class Connection:
    """One socket to the daemon. ``buffer`` holds what was received and not yet consumed."""

    def __init__(self, sock: socket.socket, host: str = "composer") -> None:
        self.sock = sock
        self.host = host
        self.buffer = b""
        self.busy = False

    def send(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Reply:
        """Send one request and read the head of the answer. An iterable body goes chunked."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", "User-Agent: composer"]
        lines.extend(f"{name}: {value}" for name, value in headers)
        chunked = body is not None and not isinstance(body, bytes)
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        elif body is not None or method in ("POST", "PUT"):
            lines.append(f"Content-Length: {len(body) if isinstance(body, bytes) else 0}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.busy = True
        try:
            self.sock.sendall(head + body if isinstance(body, bytes) else head)
            if body is not None and not isinstance(body, bytes):
                self._upload(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the daemon may have answered (413, 404) and stopped reading: its answer says why
        return self._head(method)

    def _upload(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if piece:
                self.sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.sock.sendall(b"0\r\n\r\n")

    def _head(self, method: str) -> Reply:
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if len(self.buffer) > MAX_HEAD:
                    raise WireError("the daemon's answer has no end of headers")
                try:
                    piece = self.receive()
                except ConnectionResetError as error:
                    raise WireError("the daemon closed the connection before it answered", hint="see: composer engine logs") from error
                if not piece:
                    raise WireError("the daemon closed the connection before it answered", hint="see: composer engine logs")
                self.buffer += piece
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            first, *rest = head.decode("latin-1").split("\r\n")
            words = first.split(" ", 2)
            if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
                raise WireError(f"the daemon's answer is not HTTP: {first[:80]!r}")
            status = int(words[1])
            if status == 100:
                continue
            headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            return Reply(self, status, headers, method == "HEAD")

    def idle(self) -> bool:
        """May the next request be sent on it? Not while an answer is unread, nor when the daemon has hung up meanwhile."""
        return not self.busy and self.sock.fileno() >= 0 and not select.select([self.sock], [], [], 0)[0]

    def receive(self) -> bytes:
        """What has come, waiting for it; b"" at the end of the stream."""
        try:
            return self.sock.recv(PIECE)
        except TimeoutError as error:
            raise WireError("the daemon does not answer", hint="see: composer engine logs") from error

    def close(self) -> None:
        self.sock.close()


class Reply:
    """An answer: ``status``, ``headers`` (names in lower case), and a body that is read once."""

    def __init__(self, connection: Connection, status: int, headers: dict[str, str], no_body: bool) -> None:
        self.connection = connection
        self.status = status
        self.headers = headers
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length")
        self._left: int | None = 0 if no_body or status in (101, 204, 304) else int(length) if length and length.isdigit() else None
        if self._left == 0:
            self._chunked = False
        self._first_chunk = True
        self._ended = False
        if self._left == 0:
            self._end()

    def fileno(self) -> int:
        return self.connection.sock.fileno()

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces())

    def json(self) -> Any:
        """The whole body as JSON; None when it is empty."""
        text = self.read()
        try:
            return json.loads(text) if text.strip() else None
        except ValueError as error:
            raise WireError("the daemon's answer is not JSON") from error

    def pieces(self) -> Iterator[bytes]:
        """The body in the pieces in which it comes."""
        while not self._ended:
            piece = self.take()
            if piece:
                yield piece
            elif not self._ended:
                self._fill()

    def lines(self, wait: float | None = None) -> Iterator[bytes | None]:
        """The body line by line. With ``wait`` (seconds): None each time so long passes without anything (to redraw a screen)."""
        rest = b""
        while True:
            while b"\n" in rest:
                line, rest = rest.split(b"\n", 1)
                if line.strip():
                    yield line
            if self._ended:
                break
            if len(rest) > MAX_LINE:
                raise WireError("the daemon's answer has a line without an end")
            piece = self.take()
            if piece or self._ended:
                rest += piece
            elif wait is not None and not select.select([self], [], [], wait)[0]:
                yield None
            else:
                self._fill()
        if rest.strip():
            yield rest

    @property
    def ended(self) -> bool:
        return self._ended

    def feed(self) -> bytes:
        """One receive (call it when the socket is readable), and the body bytes that this made available."""
        if not self._ended:
            self._fill()
        return self.drain()

    def drain(self) -> bytes:
        """The body bytes that are here already."""
        out = []
        while not self._ended and (piece := self.take()):
            out.append(piece)
        return b"".join(out)

    def take(self) -> bytes:
        """The next body bytes out of the buffer, b"" when more must be received first (or at the end)."""
        connection = self.connection
        if self._chunked and not self._left and not self._next_chunk():
            return b""
        if not connection.buffer:
            return b""
        size = len(connection.buffer) if self._left is None else min(self._left, len(connection.buffer))
        piece, connection.buffer = connection.buffer[:size], connection.buffer[size:]
        if self._left is not None:
            self._left -= size
            if self._left == 0 and not self._chunked:
                self._end()
        return piece

    def _next_chunk(self) -> bool:
        """Parse the next chunk's size line; False when it has not come yet, or when that was the last chunk."""
        buffer = self.connection.buffer
        skip = 0 if self._first_chunk else 2  # the line end behind the chunk before
        at = buffer.find(b"\r\n", skip)
        if at < 0:
            return False
        try:
            size = int(buffer[skip:at].split(b";")[0], 16)
        except ValueError as error:
            raise WireError("the daemon's answer has a broken chunk") from error
        if size == 0:
            if len(buffer) < at + 4:
                return False
            self.connection.buffer = buffer[at + 4 :]
            self._end()
            return False
        self.connection.buffer = buffer[at + 2 :]
        self._left, self._first_chunk = size, False
        return True

    def _fill(self) -> None:
        try:
            piece = self.connection.receive()
        except ConnectionResetError:
            piece = b""
        if not piece:
            if self._chunked or self._left:
                self._ended = True
                self.connection.close()
                raise WireError("the daemon hung up in the middle of its answer", hint="see: composer engine logs")
            self._end(keep=False)
        self.connection.buffer += piece

    def _end(self, keep: bool = True) -> None:
        self._ended = True
        if keep and self.headers.get("connection", "").lower() != "close":
            self.connection.busy = False
        elif self.status != 101:
            self.connection.close()
