"""Which function answers which method and path.

A pattern is ``/containers/{id}/json``: ``{name}`` matches one segment, ``{name:path}`` any number of them (image references have
slashes). The prefix ``/v1.NN`` is taken off before; it must be between `OLDEST` and `NEWEST`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from composer.daemon.request import Request
from composer.daemon.response import Answer
from composer.engine.errors import InvalidArgument, NotFound, Unsupported

OLDEST, NEWEST = (1, 24), (1, 47)
_VERSION = re.compile(r"/v(\d+)\.(\d+)(?=/|$)")
_PLACE = re.compile(r"\{(\w+)(:path)?\}")

Function = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """``finishes``: the function runs to its end even when the client goes away (what changes something in one short step)."""

    method: str
    pattern: str
    function: Function
    finishes: bool = False


class NotAllowed(Unsupported):
    """The path exists, the method does not (405)."""

    code = "daemon.method-not-allowed"
    status = 405


@dataclass(frozen=True)
class _Compiled:
    expression: re.Pattern[str]
    route: Route


class Router:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes: dict[str, list[_Compiled]] = {}
        for route in routes:
            self._routes.setdefault(_head(route.pattern), []).append(_Compiled(_compile(route.pattern), route))

    def find(self, request: Request) -> Route:
        """The route, with ``request.params`` filled in. NotFound, NotAllowed, InvalidArgument (API version)."""
        check_version(request.version)
        methods: set[str] = set()
        wanted = (request.method, "GET") if request.method == "HEAD" else (request.method,)
        for method in wanted:
            for compiled in self._routes.get(_head(request.path), ()):
                match = compiled.expression.fullmatch(request.path)
                if match is None:
                    continue
                if compiled.route.method == method:
                    request.params = match.groupdict()
                    return compiled.route
                methods.add(compiled.route.method)
        if methods:
            raise NotAllowed(f"{request.method} is not allowed for {request.path} (allowed: {', '.join(sorted(methods))})")
        raise NotFound("page not found", hint=f"{request.method} {request.path} is not in this API")


def _head(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else ""


def _compile(pattern: str) -> re.Pattern[str]:
    parts, at = [], 0
    for place in _PLACE.finditer(pattern):
        parts += [re.escape(pattern[at : place.start()]), f"(?P<{place[1]}>{'.+' if place[2] else '[^/]+'})"]
        at = place.end()
    return re.compile("".join(parts) + re.escape(pattern[at:]))


def split_version(path: str) -> tuple[tuple[int, int] | None, str]:
    """ "/v1.44/info" -> (1, 44), "/info"."""
    match = _VERSION.match(path)
    if match is None:
        return None, path
    return (int(match[1]), int(match[2])), path[match.end() :] or "/"


def check_version(version: tuple[int, int] | None) -> None:
    """InvalidArgument, in dockerd's words."""
    if version is None:
        return
    text = f"{version[0]}.{version[1]}"
    if version > NEWEST:
        raise InvalidArgument(f"client version {text} is too new. Maximum supported API version is {NEWEST[0]}.{NEWEST[1]}")
    if version < OLDEST:
        raise InvalidArgument(
            f"client version {text} is too old. Minimum supported API version is {OLDEST[0]}.{OLDEST[1]}, "
            "please upgrade your client to a newer version"
        )
