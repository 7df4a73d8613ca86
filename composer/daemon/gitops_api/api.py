"""The room as the daemon sees it. It is imported and opened only where a source is followed, or when somebody first asks for it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from composer.daemon.request import Request
from composer.daemon.response import Answer, json_response
from composer.daemon.router import Route
from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local.layout import Layout
from composer.engine.local.state import State

if TYPE_CHECKING:
    from composer.daemon.stack_api.stacks import Stacks
    from composer.gitops.fleet import Fleet

_PREFIX = "/composer/v1/gitops"


class GitopsApi:
    """``start`` before the stacks are looked after (what they mount may have to be decrypted again); `routes`; ``close`` at the end."""

    def __init__(self, stacks: Stacks, state: State, layout: Layout) -> None:
        self._stacks, self._state, self._layout = stacks, state, layout
        self._fleet: Fleet | None = None
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

    def routes(self) -> list[Route]:
        return [Route("POST", f"{_PREFIX}/{{verb}}", self.serve)]

    async def serve(self, request: Request) -> Answer:
        """A verb with a JSON body; NotFound, InvalidArgument, Conflict."""
        fleet = await self.fleet()
        body = await request.object()
        verb = request.params["verb"]
        name = body.get("name", "")
        if not isinstance(name, str):
            raise InvalidArgument("name must be a string")
        return json_response(await _answer(fleet, verb, name, body))

    async def close(self) -> None:
        if self._fleet is not None:
            await self._fleet.close()


async def _answer(fleet: Fleet, verb: str, name: str, body: dict[str, Any]) -> Any:
    from composer.daemon.stack_api.options import Options
    from composer.gitops.follow import Wish

    options = Options(body)
    match verb:
        case "add":
            return await fleet.add(_object(body, "source"), replace_=options.flag("replace"))
        case "ls":
            return [fleet.status(one) for one in fleet.names()]
        case "status":
            return fleet.status(name)
        case "sync":
            wish = Wish(
                "by hand", options.flag("retry"), options.flag("accept_rewrite"), options.flag("anytime"), options.flag("allow_empty")
            )
            return await fleet.sync(name, wish, volumes=options.flag("prune_volumes"))
        case "suspend":
            return await fleet.suspend(name, options.text("reason"), options.seconds("seconds") or 0.0)
        case "resume":
            return await fleet.resume(name)
        case "rm":
            return await fleet.remove(name, down=options.flag("down"), volumes=options.flag("volumes"))
        case "history":
            return fleet.history(name)
    raise NotFound(f"gitops has no verb '{verb}'")


def _object(body: dict[str, Any], key: str) -> dict[str, Any]:
    found = body.get(key)
    if not isinstance(found, dict):
        raise InvalidArgument(f"{key} must be a JSON object")
    return found


def _import() -> None:
    import composer.gitops.fleet  # noqa: F401
