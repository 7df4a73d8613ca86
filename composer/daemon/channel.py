"""The connection after HTTP (attach, exec): bytes both ways with back-pressure, each way ends on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_HIGH, _LOW = 512 << 10, 128 << 10


class RawChannel:
    """response.Channel over an asyncio transport; the connection feeds it."""

    def __init__(self, transport: asyncio.WriteTransport, write: Callable[[bytes], Awaitable[None]], pause: Callable[[bool], None]) -> None:
        self._transport = transport
        self._write = write
        self._pause = pause
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._paused = False
        self._more = asyncio.Event()

    def feed(self, data: bytes) -> None:
        if not data:
            return
        self._parts.append(data)
        self._size += len(data)
        self._more.set()
        if self._size > _HIGH and not self._paused:
            self._paused = True
            self._pause(True)

    def feed_eof(self) -> None:
        self._ended = True
        self._more.set()

    async def read(self) -> bytes:
        while not self._parts and not self._ended:
            self._more.clear()
            await self._more.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._pause(False)
        return data

    async def write(self, data: bytes) -> None:
        await self._write(data)

    def write_eof(self) -> None:
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
