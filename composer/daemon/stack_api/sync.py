"""`POST /composer/v1/sync` and `/composer/v1/signatures`: files into containers, and what is there (watch mode).

A sync's body is one line of JSON, ``{"containers": [...], "trees": {target: [paths to remove]}}``, and then a tar, which may be missing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from composer.daemon.request import Request
from composer.daemon.response import Answer, json_response
from composer.daemon.router import Route
from composer.engine.errors import InvalidArgument
from composer.engine.interface import Engine

_HEAD = 64 << 20  # bytes of the first line


def routes(engine: Engine) -> list[Route]:
    """Routes that must stand before ``/composer/v1/{verb}``."""

    async def sync(request: Request) -> Answer:
        pieces = aiter(request.body)
        head, rest = await _head(pieces)
        found = await engine.containers.sync(_names(head.get("containers")), _trees(head), _tar(rest, pieces))
        rows = [{"id": one.container, "written": one.written, "removed": one.removed, "problem": one.problem} for one in found]
        return json_response({"containers": rows})

    async def signatures(request: Request) -> Answer:
        body = await request.object()
        (container,) = _names([body.get("container")])
        return json_response({"trees": await engine.containers.signatures(container, _trees(body))})

    return [Route("POST", "/composer/v1/sync", sync), Route("POST", "/composer/v1/signatures", signatures)]


async def _head(pieces: AsyncIterator[bytes]) -> tuple[dict[str, Any], bytes]:
    """The first line, and what came behind it."""
    data = bytearray()
    async for piece in pieces:
        data += piece
        if b"\n" in piece or len(data) > _HEAD:
            break
    line, found, rest = bytes(data).partition(b"\n")
    try:
        head = json.loads(line) if found else None
    except ValueError:
        head = None
    if not isinstance(head, dict):
        raise InvalidArgument("a sync begins with one line of JSON: containers and trees")
    return head, rest


async def _tar(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


def _names(value: Any) -> Sequence[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise InvalidArgument("containers must be named")
    return value


def _trees(body: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    trees = body.get("trees")
    if not isinstance(trees, dict) or not all(
        isinstance(paths, list) and all(isinstance(path, str) for path in paths) for paths in trees.values()
    ):
        raise InvalidArgument("trees must be an object: target directory -> list of paths")
    return trees
