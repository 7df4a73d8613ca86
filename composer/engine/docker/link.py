"""One connection to the API: writes a request, reads its response by httptools, and can leave HTTP for a raw stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import httptools

from composer.engine.errors import Unavailable

_CHUNK = 256 << 10


class Link:
    """``reused``: it served an earlier request, so the server may have closed it meanwhile."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.reused = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False  # the response's body has ended
        self.started = False  # some byte of the response came
        self._head_done = False
        self._keep = False
        self._parts: list[bytes] = []
        self._rest = b""  # bytes of the raw stream that came with the head
        self.raw = False

    # -- the parser's calls ----------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._keep = self._parser.should_keep_alive()
        self._head_done = self.status != 100

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        self.complete = self._head_done

    # -- requests --------------------------------------------------------------------------------------------------------------

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """Write the head of a request, and its body when it is at hand."""
        self._parser = httptools.HttpResponseParser(self)
        self.status, self.headers, self.complete, self.started, self._head_done, self._parts = 0, {}, False, False, False, []
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1") + (body or b""))
        await self._drain()

    async def send(self, pieces: AsyncIterator[bytes]) -> None:
        """The body, chunked."""
        async for piece in pieces:
            if piece:
                self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await self._drain()
        self._writer.write(b"0\r\n\r\n")
        await self._drain()

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except OSError as error:
            raise Unavailable(f"the engine closed the connection: {error}") from error

    # -- responses -------------------------------------------------------------------------------------------------------------

    async def head(self, *, no_body: bool = False) -> None:
        """Read until status and headers are there. ``no_body``: the request was HEAD."""
        while not self._head_done:
            if not await self._receive():
                raise Unavailable("the engine closed the connection before it answered")
        self.complete = self.complete or no_body

    async def _receive(self) -> bool:
        try:
            data = await self._reader.read(_CHUNK)
        except OSError as error:
            raise Unavailable(f"the connection to the engine broke: {error}") from error
        if not data:
            return False
        self.started = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.raw, self._rest = True, data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            raise Unavailable(f"the engine's answer is not HTTP: {error}") from error
        return True

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Unavailable when it breaks off."""
        while True:
            while self._parts:
                yield self._parts.pop(0)
            if self.complete:
                return
            if not await self._receive():
                if "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", ""):
                    raise Unavailable("the engine broke its answer off")
                self.complete = True

    @property
    def reusable(self) -> bool:
        return self.complete and self._keep and not self.raw and not self._writer.is_closing()

    # -- after HTTP ------------------------------------------------------------------------------------------------------------

    async def read(self) -> bytes:
        """Bytes of the raw stream; b"" at its end."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        if not self.raw:  # 200 without upgrade: the stream is the body
            async for piece in self.pieces():
                return piece
            return b""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:
            return b""  # the engine is gone: so is the stream

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._drain()

    def write_eof(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was gone already
