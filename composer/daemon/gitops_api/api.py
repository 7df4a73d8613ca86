"""The room as the daemon sees it. It is imported and opened only where a source is followed, or when somebody first asks for it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from composer.daemon.request import Request
from composer.daemon.response import Answer, Response, json_response
from composer.daemon.router import Route
from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local.layout import Layout
from composer.engine.local.state import State
from composer.errors import ComposerError
from composer.gitops.webhook import BODY_MAX, HookTooLarge

if TYPE_CHECKING:
    from composer.daemon.gitops_api.listener import Listener
    from composer.daemon.stack_api.stacks import Stacks
    from composer.gitops.fleet import Fleet

_PREFIX = "/composer/v1/gitops"


class GitopsApi:
    """``start`` before the stacks are looked after (what they mount may have to be decrypted again); `routes`; ``close`` at the end."""

    def __init__(self, stacks: Stacks, state: State, layout: Layout) -> None:
        self._stacks, self._state, self._layout = stacks, state, layout
        self._fleet: Fleet | None = None
        self._door: Listener | None = None
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Follow what is remembered, if anything is."""
        if self._state.read("gitops"):
            await self.fleet()

    async def fleet(self) -> Fleet:
        async with self._opening:
            if self._fleet is None:
                await asyncio.to_thread(_import)
                self._fleet = self._made()
                await self._fleet.start()
                self._fleet.run()
                await self._listen_again(self._fleet)
        return self._fleet

    def _made(self) -> Fleet:
        from composer.daemon.gitops_api.stacks import GitopsStacks
        from composer.gitops.fleet import Fleet
        from composer.gitops.ground import Ground

        ground = Ground(
            stacks=GitopsStacks(self._stacks),
            root=self._layout.root / "gitops",
            run=self._layout.run / "gitops",
            log=self._stacks.log,
            seal=self._stacks.seal.close,
            clock=time.time,
        )
        return Fleet(self._state, ground)

    async def _listen_again(self, fleet: Fleet) -> None:
        if fleet.store.listen:
            try:
                await self._listener(fleet).open(fleet.store.listen)
            except ComposerError as error:  # the daemon starts all the same; `gitops listen` says it
                self._stacks.log.error("gitops cannot listen", address=fleet.store.listen, error=error.message)

    def _listener(self, fleet: Fleet) -> Listener:
        from composer.daemon.gitops_api.listener import Listener

        if self._door is None:
            routes = [
                Route("POST", "/hooks/{name}", self.hook),
                Route("GET", "/metrics", self.metrics),
                Route("GET", "/healthz", _alive),
            ]
            self._door = Listener(routes, self._stacks.log)
        return self._door

    def routes(self) -> list[Route]:
        return [
            Route("POST", f"{_PREFIX}/{{verb}}", self.serve),
            Route("POST", f"{_PREFIX}/hooks/{{name}}", self.hook),
            Route("GET", "/metrics", self.metrics),
        ]

    async def hook(self, request: Request) -> Answer:
        """A webhook. 202: the remote is looked at; 200: understood, and nothing to do."""
        fleet = await self.fleet()
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > BODY_MAX:
            raise HookTooLarge(f"a webhook has at most {BODY_MAX} bytes")
        try:
            said = await fleet.hooked(request.params["name"], request.headers, request.body.read)
        except InvalidArgument as error:
            raise HookTooLarge(error.message) from error
        return json_response({"message": said}, 202 if said == "looking" else 200)

    async def metrics(self, request: Request) -> Answer:
        fleet = await self.fleet()
        from composer.gitops.metrics import CONTENT_TYPE

        return Response(200, fleet.metrics.text(), CONTENT_TYPE)

    async def listen(self, address: str) -> dict[str, str]:
        """Take webhooks at an address from now on, also after a restart; "off": no longer; "": what is."""
        fleet = await self.fleet()
        if address == "off":
            await fleet.store.keep_listen("")
            if self._door is not None:
                await self._door.close()
        elif address:
            await self._listener(fleet).open(address)
            await fleet.store.keep_listen(self._listener(fleet).address)
        return {"address": self._door.address if self._door is not None else "", "wanted": fleet.store.listen}

    async def serve(self, request: Request) -> Answer:
        """A verb with a JSON body; NotFound, InvalidArgument, Conflict."""
        fleet = await self.fleet()
        body = await request.object()
        verb = request.params["verb"]
        name = body.get("name", "")
        if not isinstance(name, str):
            raise InvalidArgument("name must be a string")
        if verb == "listen":
            return json_response(await self.listen(str(body.get("address") or "")))
        return json_response(await _answer(fleet, verb, name, body))

    async def close(self) -> None:
        if self._door is not None:
            await self._door.close()
        if self._fleet is not None:
            await self._fleet.close()


async def _answer(fleet: Fleet, verb: str, name: str, body: dict[str, Any]) -> Any:
    from composer.daemon.stack_api.options import Options
    from composer.gitops.follow import Wish

    options = Options(body)
    match verb:
        case "add":
            return await fleet.add(
                _object(body, "source"), replace_=options.flag("replace"), hook=options.flag("hook"), wait=not options.flag("detach")
            )
        case "ls":
            return [fleet.status(one) for one in fleet.names()]
        case "status":
            return fleet.status(name)
        case "sync":
            wish = Wish(
                "by hand", options.flag("retry"), options.flag("accept_rewrite"), options.flag("anytime"), options.flag("allow_empty")
            )
            return await fleet.sync(name, wish, volumes=options.flag("prune_volumes"), wait=not options.flag("detach"))
        case "suspend":
            return await fleet.suspend(name, options.text("reason"), options.seconds("seconds") or 0.0)
        case "resume":
            return await fleet.resume(name)
        case "rm":
            return await fleet.remove(name, down=options.flag("down"), volumes=options.flag("volumes"))
        case "history":
            return fleet.history(name)
    raise NotFound(f"gitops has no verb '{verb}'")


async def _alive(request: Request) -> Answer:
    return Response(200, b"ok\n", "text/plain")


def _object(body: dict[str, Any], key: str) -> dict[str, Any]:
    found = body.get(key)
    if not isinstance(found, dict):
        raise InvalidArgument(f"{key} must be a JSON object")
    return found


def _import() -> None:
    import composer.gitops.fleet  # noqa: F401
