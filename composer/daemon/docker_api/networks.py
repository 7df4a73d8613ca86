"""/networks."""

from __future__ import annotations

from composer.daemon.request import Request
from composer.daemon.response import Answer, empty, json_response
from composer.daemon.router import Route
from composer.engine.interface import Engine
from composer.engine.model import NetworkConfig, NetworkConnect


class NetworkRoutes:
    def __init__(self, engine: Engine) -> None:
        self._networks = engine.networks

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/networks", self.list),
            Route("POST", "/networks/create", self.create, finishes=True),
            Route("POST", "/networks/prune", self.prune, finishes=True),
            Route("GET", "/networks/{id}", self.inspect),
            Route("DELETE", "/networks/{id}", self.remove, finishes=True),
            Route("POST", "/networks/{id}/connect", self.connect, finishes=True),
            Route("POST", "/networks/{id}/disconnect", self.disconnect, finishes=True),
        ]

    async def list(self, request: Request) -> Answer:
        return json_response([one.to_wire() for one in await self._networks.list(request.query.filters())])

    async def inspect(self, request: Request) -> Answer:
        return json_response((await self._networks.inspect(request.params["id"])).to_wire())

    async def create(self, request: Request) -> Answer:
        config = NetworkConfig.from_wire(await request.object())
        return json_response({"Id": await self._networks.create(config), "Warning": ""}, 201)

    async def remove(self, request: Request) -> Answer:
        await self._networks.remove(request.params["id"])
        return empty()

    async def connect(self, request: Request) -> Answer:
        wish = NetworkConnect.from_wire(await request.object())
        await self._networks.connect(request.params["id"], wish.container, wish.endpoint_config)
        return empty(200)

    async def disconnect(self, request: Request) -> Answer:
        body = await request.object()
        await self._networks.disconnect(request.params["id"], str(body.get("Container", "")), force=bool(body.get("Force")))
        return empty(200)

    async def prune(self, request: Request) -> Answer:
        report = await self._networks.prune(request.query.filters())
        return json_response({"NetworksDeleted": list(report.deleted)})
