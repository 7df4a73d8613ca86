"""/containers/ID/{logs,attach,archive,export}: what flows out of and into containers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable

from composer.daemon.docker_api.flow import DetachKeys, connect, parse_keys
from composer.daemon.docker_api.framing import multiplexed, raw
from composer.daemon.request import Request
from composer.daemon.response import (
    MULTIPLEXED_STREAM,
    RAW_STREAM,
    TAR,
    Answer,
    Channel,
    Response,
    Upgrade,
    close,
    empty,
    primed,
)
from composer.daemon.router import NEWEST, Route
from composer.engine.errors import InvalidArgument, Unsupported
from composer.engine.interface import Engine
from composer.engine.model import Container, LogFrame, LogOptions, PathStat, Stream


class StreamRoutes:
    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._containers = engine.containers
        self._clock = clock

    def routes(self) -> list[Route]:
        one = "/containers/{id}"
        return [
            Route("GET", f"{one}/logs", self.logs),
            Route("POST", f"{one}/attach", self.attach),
            Route("GET", f"{one}/attach/ws", self.websocket),
            Route("GET", f"{one}/export", self.export),
            Route("HEAD", f"{one}/archive", self.stat_path),
            Route("GET", f"{one}/archive", self.get_archive),
            Route("PUT", f"{one}/archive", self.put_archive),
        ]

    async def logs(self, request: Request) -> Answer:
        options = self._options(request)
        one = await self._containers.inspect(request.params["id"])
        frame = raw if one.config.tty else multiplexed
        dress = _dress(request.query.flag("timestamps"), request.query.flag("details"))
        found = self._containers.logs(one.id, options)

        async def pieces(frames: AsyncIterator[LogFrame]) -> AsyncIterator[bytes]:
            try:
                async for piece in frames:
                    yield frame(dress(piece))
            finally:
                await close(frames)

        frames = found if options.follow else await primed(found)
        return Response(200, pieces(frames), stream_type(one.config.tty, request))

    def _options(self, request: Request) -> LogOptions:
        query, now = request.query, self._clock()
        if not query.flag("stdout") and not query.flag("stderr"):
            raise InvalidArgument("Bad parameters: you must choose at least one stream")
        tail = query.text("tail")
        return LogOptions(
            stdout=query.flag("stdout"),
            stderr=query.flag("stderr"),
            follow=query.flag("follow"),
            since=query.time("since", now),
            until=query.time("until", now),
            tail=int(tail) if tail.isdigit() else None,  # "all" and, as dockerd has it, anything else: every line
        )

    async def attach(self, request: Request) -> Answer:
        query = request.query
        one = await self._containers.inspect(request.params["id"])
        stdin = query.flag("stdin") and query.flag("stream")
        keys = DetachKeys(parse_keys(query.text("detachKeys")))
        if query.flag("stream"):
            stream = await self._containers.attach(one.id, stdin=stdin, logs=query.flag("logs"))
            once = one.config.stdin_once and not one.config.tty
            return attached(stream, one.config.tty, request, keys=keys, ends_stdin=once)
        return Response(200, self._replay(one, request), stream_type(one.config.tty, request))

    async def _replay(self, one: Container, request: Request) -> AsyncIterator[bytes]:
        """attach without ``stream``: what was logged, and the end."""
        options = LogOptions(stdout=request.query.flag("stdout"), stderr=request.query.flag("stderr"))
        if request.query.flag("logs"):
            async for piece in self._containers.logs(one.id, options):
                yield (raw if one.config.tty else multiplexed)(piece)

    async def websocket(self, request: Request) -> Answer:
        raise Unsupported("attach by websocket is not supported", hint="use POST /containers/ID/attach")

    async def export(self, request: Request) -> Answer:
        return Response(200, await primed(self._containers.export(request.params["id"])), TAR)

    async def stat_path(self, request: Request) -> Answer:
        found = await self._containers.stat_path(request.params["id"], _path(request))
        return Response(200, b"", "", {"X-Docker-Container-Path-Stat": encode_stat(found)})

    async def get_archive(self, request: Request) -> Answer:
        found = await self._containers.stat_path(request.params["id"], _path(request))
        tar = await primed(self._containers.get_archive(request.params["id"], _path(request)))
        return Response(200, tar, TAR, {"X-Docker-Container-Path-Stat": encode_stat(found)})

    async def put_archive(self, request: Request) -> Answer:
        await self._containers.put_archive(
            request.params["id"],
            _path(request),
            aiter(request.body),
            no_overwrite_dir_non_dir=request.query.flag("noOverwriteDirNonDir"),
            copy_uid_gid=request.query.flag("copyUIDGID"),
        )
        return empty(200)


def attached(stream: Stream, tty: bool, request: Request, *, keys: DetachKeys | None, ends_stdin: bool) -> Upgrade:
    """The answer to attach (and to exec start, which has all three streams) that joins the client and the process."""
    query = request.query
    chosen = "stream" in query

    async def serve(channel: Channel) -> None:
        await connect(
            channel,
            stream,
            frame=raw if tty else multiplexed,
            stdin=query.flag("stdin") if chosen else True,
            stdout=query.flag("stdout") if chosen else True,
            stderr=query.flag("stderr") if chosen else True,
            keys=keys if tty else None,
            ends_stdin=ends_stdin,
        )

    return Upgrade(serve, stream_type(tty, request))


def stream_type(tty: bool, request: Request) -> str:
    """The media type; multiplexed has a name of its own since API 1.42."""
    return RAW_STREAM if tty or (request.version or NEWEST) < (1, 42) else MULTIPLEXED_STREAM


def _dress(timestamps: bool, details: bool) -> Callable[[LogFrame], LogFrame]:
    """Put the time before each line, and the (here always empty) details."""

    def dress(piece: LogFrame) -> LogFrame:
        head = (piece.time + " " if timestamps else "") + (" " if details else "")
        return LogFrame(piece.stream, head.encode() + piece.data, piece.time) if head else piece

    return dress


def _path(request: Request) -> str:
    path = request.query.text("path")
    if not path:
        raise InvalidArgument("bad parameter: 'path' cannot be empty")
    return path


def encode_stat(found: PathStat) -> str:
    return base64.b64encode(json.dumps(found.to_wire()).encode()).decode()
