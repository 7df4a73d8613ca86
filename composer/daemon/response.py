"""What a route's function answers: a `Response` (bytes or a stream), or an `Upgrade` that takes the connection over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from composer.engine.errors import EngineError
from composer.errors import ComposerError

JSON = "application/json"
NDJSON = "application/x-ndjson"
TAR = "application/x-tar"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

T = TypeVar("T")


@dataclass
class Response:
    """``body``: bytes, or an async iterator that is sent chunked as it comes. The head of a stream is sent at once."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """The connection after HTTP: bytes both ways, each way ends on its own."""

    async def read(self) -> bytes:
        """What came; b"" when the client will send no more."""
        ...

    async def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...


@dataclass
class Upgrade:
    """Leave HTTP: 101 UPGRADED when the client asked for it, else 200; then ``serve`` has the connection, which is closed after it."""

    serve: Callable[[Channel], Awaitable[None]]
    content_type: str = RAW_STREAM


Answer = Response | Upgrade


def encode(value: Any) -> bytes:
    """JSON in one line, as Go's encoder ends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def json_response(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, encode(value), JSON, {name.replace("_", "-"): text for name, text in headers.items()})


def empty(status: int = 204) -> Response:
    return Response(status)


def stream_json(values: AsyncIterator[Any], content_type: str = JSON) -> Response:
    """One JSON object a line, each sent as it comes."""

    async def lines() -> AsyncIterator[bytes]:
        try:
            async for value in values:
                yield encode(value)
        finally:
            await close(values)

    return Response(200, lines(), content_type)


async def primed(source: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same iterator with its first item already fetched, so that an early error still has its own status."""
    iterator = aiter(source)
    try:
        first = [await anext(iterator)]
    except StopAsyncIteration:
        first = []

    async def replay() -> AsyncIterator[T]:
        try:
            for item in first:
                yield item
                async for more in iterator:
                    yield more
        finally:
            await close(iterator)

    return replay()


async def close(source: AsyncIterator[Any]) -> None:
    """End an iterator that can be ended (generators, subscriptions)."""
    end = getattr(source, "aclose", None)
    if end is not None:
        with suppress(RuntimeError):  # it is running, in a task that is being cancelled
            await end()


def describe(error: ComposerError) -> dict[str, str]:
    """Docker's error body; ``code`` and ``hint`` are beside it for composer's own clients."""
    found = {"message": error.message, "code": error.code}
    return found | {"hint": error.hint} if error.hint else found


def status_of(error: ComposerError) -> int:
    """The one table: each kind of engine error has its status; any other error for the user is a bad request."""
    return error.status if isinstance(error, EngineError) else 400


def refusal(error: ComposerError) -> Response:
    return json_response(describe(error), status_of(error))
