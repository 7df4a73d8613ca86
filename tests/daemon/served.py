"""A server with routes of the test's own, and the smallest client: bytes to it, bytes from it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from composer.daemon.router import Route
from composer.daemon.server import Server


class Lines:
    """What the server logged."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, object]]] = []

    def error(self, event: str, /, **fields: object) -> None:
        self.errors.append((event, fields))


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next response."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return int(text[0].split()[1]), {line.split(": ")[0].lower(): line.split(": ")[1] for line in text[1:] if line}

    async def response(self) -> tuple[int, bytes]:
        """Status and body of the next response."""
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            return status, b"".join([chunk async for chunk in self.chunks()])
        return status, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readline(), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)


@asynccontextmanager
async def serving(routes: Sequence[Route], log: Lines | None = None) -> AsyncIterator[Path]:
    """The socket's path."""
    with tempfile.TemporaryDirectory(prefix="ct-") as directory:
        path = Path(directory) / "s"
        server = Server(routes, log=log or Lines())
        await server.listen(path)
        try:
            yield path
        finally:
            await server.close(grace=2.0)


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
