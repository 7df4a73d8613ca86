"""/containers: making, listing, changing, removing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from composer.daemon.docker_api.summary import summary
from composer.daemon.request import Request
from composer.daemon.response import JSON, Answer, Response, close, empty, encode, json_response, primed, stream_json
from composer.daemon.router import Route
from composer.engine.errors import InvalidArgument, Unsupported
from composer.engine.interface import Engine
from composer.engine.model import ContainerConfig, ContainerUpdate, WaitResult


class ContainerRoutes:
    """``clock``: seconds since 1970, for "Up 5 minutes"."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._containers = engine.containers
        self._clock = clock

    def routes(self) -> list[Route]:
        one = "/containers/{id}"
        return [
            Route("GET", "/containers/json", self.list),
            Route("POST", "/containers/create", self.create, finishes=True),
            Route("POST", "/containers/prune", self.prune, finishes=True),
            Route("GET", f"{one}/json", self.inspect),
            Route("POST", f"{one}/start", self.start, finishes=True),
            Route("POST", f"{one}/stop", self.stop, finishes=True),
            Route("POST", f"{one}/restart", self.restart, finishes=True),
            Route("POST", f"{one}/kill", self.kill, finishes=True),
            Route("POST", f"{one}/pause", self.pause, finishes=True),
            Route("POST", f"{one}/unpause", self.unpause, finishes=True),
            Route("POST", f"{one}/rename", self.rename, finishes=True),
            Route("POST", f"{one}/update", self.update, finishes=True),
            Route("POST", f"{one}/resize", self.resize),
            Route("POST", f"{one}/wait", self.wait),
            Route("GET", f"{one}/top", self.top),
            Route("GET", f"{one}/stats", self.stats),
            Route("GET", f"{one}/changes", self.changes),
            Route("DELETE", one, self.remove, finishes=True),
        ]

    async def list(self, request: Request) -> Answer:
        limit = request.query.integer("limit", 0) or 0
        every = request.query.flag("all") or limit > 0
        found = await self._containers.list(all=every, filters=request.query.filters())
        found = found[:limit] if limit > 0 else found
        if request.query.flag("size"):
            found = [await self._containers.inspect(one.id, size=True) for one in found]
        if request.query.text("composer") == "full":  # composer's own client: the whole containers, in one request
            return json_response([one.to_wire() for one in found])
        now = self._clock()
        return json_response([summary(one, now) for one in found])

    async def create(self, request: Request) -> Answer:
        config = config_of(await request.object())
        made = await self._containers.create(config, request.query.text("name"))
        return json_response(made.to_wire(), 201)

    async def inspect(self, request: Request) -> Answer:
        found = await self._containers.inspect(request.params["id"], size=request.query.flag("size"))
        wire = found.to_wire()
        if found.size_rw is None:
            del wire["SizeRw"], wire["SizeRootFs"]
        return json_response(wire)

    async def start(self, request: Request) -> Answer:
        before = await self._containers.inspect(request.params["id"])
        if before.state.running and not before.state.paused and not before.state.restarting:
            return empty(304)
        await self._containers.start(request.params["id"])
        return empty()

    async def stop(self, request: Request) -> Answer:
        before = await self._containers.inspect(request.params["id"])
        if not before.state.running and not before.state.restarting:
            return empty(304)
        signal, timeout = request.query.text("signal"), request.query.integer("t")
        await self._containers.stop(request.params["id"], signal=signal, timeout=timeout)
        return empty()

    async def restart(self, request: Request) -> Answer:
        signal, timeout = request.query.text("signal"), request.query.integer("t")
        await self._containers.restart(request.params["id"], signal=signal, timeout=timeout)
        return empty()

    async def kill(self, request: Request) -> Answer:
        await self._containers.kill(request.params["id"], request.query.text("signal") or "SIGKILL")
        return empty()

    async def pause(self, request: Request) -> Answer:
        await self._containers.pause(request.params["id"])
        return empty()

    async def unpause(self, request: Request) -> Answer:
        await self._containers.unpause(request.params["id"])
        return empty()

    async def rename(self, request: Request) -> Answer:
        await self._containers.rename(request.params["id"], request.query.text("name"))
        return empty()

    async def update(self, request: Request) -> Answer:
        """As dockerd: a field that is zero or empty is left as it is."""
        body = await request.object()
        policy = body.get("RestartPolicy")
        if isinstance(policy, dict) and not policy.get("Name"):
            del body["RestartPolicy"]
        change = ContainerUpdate.from_wire({name: value for name, value in body.items() if value})
        warnings = await self._containers.update(request.params["id"], change)
        return json_response({"Warnings": list(warnings)})

    async def remove(self, request: Request) -> Answer:
        if request.query.flag("link"):
            raise Unsupported(
                "removing a link is not supported", hint="legacy links have no names here; put both containers on one network"
            )
        await self._containers.remove(request.params["id"], force=request.query.flag("force"), volumes=request.query.flag("v"))
        return empty()

    async def resize(self, request: Request) -> Answer:
        await self._containers.resize(request.params["id"], *size_of(request))
        return empty(200)

    async def wait(self, request: Request) -> Answer:
        """The head goes out as soon as the wait has begun: `docker run` starts the container only then."""
        ref = (await self._containers.inspect(request.params["id"])).id
        waiting = asyncio.ensure_future(self._containers.wait(ref, request.query.text("condition") or "not-running"))
        await asyncio.sleep(0)
        if waiting.done() and waiting.exception() is not None:
            waiting.result()
        return Response(200, _result(waiting), JSON)

    async def top(self, request: Request) -> Answer:
        found = await self._containers.top(request.params["id"], request.query.text("ps_args") or "-ef")
        return json_response(found.to_wire())

    async def stats(self, request: Request) -> Answer:
        stream = request.query.flag("stream", True)
        found = await primed(self._containers.stats(request.params["id"], stream=stream))

        async def lines() -> AsyncIterator[dict[str, Any]]:
            try:
                async for one in found:
                    yield one.to_wire()
            finally:
                await close(found)

        return stream_json(lines())

    async def changes(self, request: Request) -> Answer:
        return json_response([one.to_wire() for one in await self._containers.changes(request.params["id"])])

    async def prune(self, request: Request) -> Answer:
        report = await self._containers.prune(request.query.filters())
        return json_response({"ContainersDeleted": list(report.deleted), "SpaceReclaimed": report.space_reclaimed})


async def _result(waiting: asyncio.Future[WaitResult]) -> AsyncIterator[bytes]:
    try:
        found = await waiting
    finally:
        waiting.cancel()
    yield encode({"StatusCode": found.status_code} | ({"Error": found.error} if found.error else {}))


def size_of(request: Request) -> tuple[int, int]:
    """Height and width of a terminal. InvalidArgument."""
    height, width = request.query.integer("h"), request.query.integer("w")
    if height is None or width is None or not 0 <= height <= 65535 or not 0 <= width <= 65535:
        raise InvalidArgument("invalid resize: h and w must be numbers from 0 to 65535")
    return height, width


def config_of(body: dict[str, Any]) -> ContainerConfig:
    """The body of a create: what Go's decoder takes (a string for a list of one, null endpoints) is taken here, too."""
    body = dict(body)
    if not body:
        raise InvalidArgument("invalid JSON: got EOF while reading request body")
    for name in ("Cmd", "Entrypoint", "Shell"):
        if isinstance(body.get(name), str):
            body[name] = [body[name]]
    networking = body.get("NetworkingConfig")
    if isinstance(networking, dict) and isinstance(networking.get("EndpointsConfig"), dict):
        ends = {name: end or {} for name, end in networking["EndpointsConfig"].items()}
        body["NetworkingConfig"] = {**networking, "EndpointsConfig": ends}
    if not body.get("Image"):
        raise InvalidArgument("config has no image: the field Image must name one")
    return ContainerConfig.from_wire(body)
