"""/exec: further processes in running containers."""

from __future__ import annotations

from composer.daemon.docker_api.containers import size_of
from composer.daemon.docker_api.flow import DetachKeys, parse_keys
from composer.daemon.docker_api.framing import multiplexed, raw
from composer.daemon.docker_api.streams import attached, stream_type
from composer.daemon.request import Request
from composer.daemon.response import Answer, Channel, Upgrade, empty, json_response
from composer.daemon.router import Route
from composer.engine.errors import CommandNotExecutable, CommandNotFound
from composer.engine.interface import Engine
from composer.engine.model import ExecConfig, LogFrame
from composer.engine.model.stream import STDOUT
from composer.errors import ComposerError


class ExecRoutes:
    def __init__(self, engine: Engine) -> None:
        self._containers = engine.containers

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/containers/{id}/exec", self.create, finishes=True),
            Route("POST", "/exec/{id}/start", self.start),
            Route("POST", "/exec/{id}/resize", self.resize),
            Route("GET", "/exec/{id}/json", self.inspect),
        ]

    async def create(self, request: Request) -> Answer:
        config = ExecConfig.from_wire(await request.object())
        return json_response({"Id": await self._containers.exec_create(request.params["id"], config)}, 201)

    async def start(self, request: Request) -> Answer:
        """A command that cannot be run is told in the stream, as dockerd does; the exit code says 126 or 127 then."""
        body = await request.object()
        exec_id, detach = request.params["id"], bool(body.get("Detach"))
        found = await self._containers.exec_inspect(exec_id)
        tty = bool(body.get("Tty")) or found.process_config.tty
        try:
            stream = await self._containers.exec_start(exec_id, detach=detach, tty=tty)
        except (CommandNotFound, CommandNotExecutable) as error:
            if detach:
                raise
            return _told(error, tty, request)
        if stream is None:
            return empty(200)
        size = body.get("ConsoleSize")
        if tty and isinstance(size, list) and len(size) == 2 and any(size):
            await self._containers.exec_resize(exec_id, int(size[0]), int(size[1]))
        return attached(stream, tty, request, keys=DetachKeys(parse_keys(found.detach_keys)), ends_stdin=not tty)

    async def resize(self, request: Request) -> Answer:
        await self._containers.exec_resize(request.params["id"], *size_of(request))
        return empty(200)

    async def inspect(self, request: Request) -> Answer:
        return json_response((await self._containers.exec_inspect(request.params["id"])).to_wire())


def _told(error: ComposerError, tty: bool, request: Request) -> Upgrade:
    async def serve(channel: Channel) -> None:
        piece = LogFrame(STDOUT, error.message.encode() + b"\r\n")
        await channel.write((raw if tty else multiplexed)(piece))

    return Upgrade(serve, stream_type(tty, request))
