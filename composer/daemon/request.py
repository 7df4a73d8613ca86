"""A request as a route's function sees it: method, path, query, headers, and the body as a stream with back-pressure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from composer.daemon.query import Query
from composer.engine.errors import InvalidArgument

JSON_LIMIT = 64 << 20  # bytes: a stack's contents travel as JSON, too
_HIGH, _LOW = 512 << 10, 128 << 10  # bytes waiting: reading the socket is paused, resumed


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Body:
    """The request's body. ``async for`` gives it piece by piece; `read` and `json` all at once, within a limit."""

    def __init__(self, pause: Callable[[bool], None], wanted: Callable[[], None]) -> None:
        self._pause = pause
        self._wanted = wanted
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._broken = False
        self._paused = False
        self._more = asyncio.Event()

    @property
    def ended(self) -> bool:
        """All of it came in."""
        return self._ended

    def feed(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        self._more.set()
        if self._size > _HIGH and not self._paused:
            self._paused = True
            self._pause(True)

    def end(self, *, broken: bool = False) -> None:
        """No more will come; ``broken``: though more was promised."""
        self._ended = True
        self._broken = broken
        self._more.set()

    def discard(self) -> None:
        """Nobody will read it: let it pass."""
        self._parts.clear()
        self._size = 0
        self._resume()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._wanted()
        while True:
            while self._parts:
                part = self._parts.pop(0)
                self._size -= len(part)
                if self._size < _LOW:
                    self._resume()
                yield part
            if self._broken:
                raise ClientGone
            if self._ended:
                return
            self._more.clear()
            await self._more.wait()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._pause(False)

    async def read(self, limit: int = JSON_LIMIT) -> bytes:
        """All of it. InvalidArgument when it is more than ``limit`` bytes."""
        found = bytearray()
        async for part in self:
            found += part
            if len(found) > limit:
                raise InvalidArgument(f"the request's body is larger than {limit} bytes")
        return bytes(found)


@dataclass
class Request:
    """``path``: decoded, without the version prefix; ``version``: that prefix as (major, minor), None without one;
    ``params``: what the route's pattern matched; ``headers``: names in lower case."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: Body
    version: tuple[int, int] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    upgrade: bool = False  # the client asked to leave HTTP

    async def json(self, limit: int = JSON_LIMIT) -> Any:
        """The body decoded; {} when it is empty. InvalidArgument."""
        data = await self.body.read(limit)
        if not data.strip():
            return {}
        try:
            return json.loads(data)
        except ValueError as error:
            raise InvalidArgument(f"the request's body is not valid JSON: {error}") from error

    async def object(self, limit: int = JSON_LIMIT) -> dict[str, Any]:
        """The body as a JSON object; {} when it is empty. InvalidArgument."""
        found = await self.json(limit)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise InvalidArgument("the request's body must be a JSON object")
        return found
