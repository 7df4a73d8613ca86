"""/volumes."""

from __future__ import annotations

from composer.daemon.request import Request
from composer.daemon.response import Answer, empty, json_response
from composer.daemon.router import Route
from composer.engine.interface import Engine
from composer.engine.model import VolumeConfig


class VolumeRoutes:
    def __init__(self, engine: Engine) -> None:
        self._volumes = engine.volumes

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/volumes", self.list),
            Route("POST", "/volumes/create", self.create, finishes=True),
            Route("POST", "/volumes/prune", self.prune, finishes=True),
            Route("GET", "/volumes/{name}", self.inspect),
            Route("DELETE", "/volumes/{name}", self.remove, finishes=True),
        ]

    async def list(self, request: Request) -> Answer:
        found = await self._volumes.list(request.query.filters())
        return json_response({"Volumes": [one.to_wire() for one in found], "Warnings": []})

    async def inspect(self, request: Request) -> Answer:
        return json_response((await self._volumes.inspect(request.params["name"])).to_wire())

    async def create(self, request: Request) -> Answer:
        body = await request.object()
        config = VolumeConfig.from_wire({name: value for name, value in body.items() if name != "Driver" or value})
        return json_response((await self._volumes.create(config)).to_wire(), 201)

    async def remove(self, request: Request) -> Answer:
        await self._volumes.remove(request.params["name"], force=request.query.flag("force"))
        return empty()

    async def prune(self, request: Request) -> Answer:
        report = await self._volumes.prune(request.query.filters())
        return json_response({"VolumesDeleted": list(report.deleted), "SpaceReclaimed": report.space_reclaimed})
