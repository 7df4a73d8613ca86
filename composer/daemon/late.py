"""The stacks' room, opened after the first requests can be answered: importing it costs more than the rest of the start (FACTS 5).

A call of a stack's verb waits until the room is open; the Docker API does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from composer.daemon.request import Request
from composer.daemon.response import Answer
from composer.daemon.router import Route, Router
from composer.engine.local.layout import Layout

if TYPE_CHECKING:
    from composer.daemon.stack_api import StackApi
    from composer.engine.local.engine import LocalEngine

Hold = Callable[[Mapping[str, str], bool], bool]


class LateStacks:
    """`open` once the server answers; `close` at the end, whether it was opened or not."""

    def __init__(self, engine: LocalEngine, layout: Layout, *, resync: float = 60.0, socket: str = "") -> None:
        self._engine = engine
        self._layout = layout
        self._resync = resync
        self._socket = socket
        self._api: StackApi | None = None
        self._router: asyncio.Future[Router] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        await asyncio.to_thread(_import)
        from composer.daemon.stack_api import StackApi

        self._api = StackApi(self._engine, self._engine.state, self._layout, resync=self._resync, socket=self._socket)
        await self._api.start()
        self._router.set_result(Router(self._api.routes()))

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/composer/v1/{verb}", self.serve),
            Route("POST", "/composer/v1/gitops/{verb:path}", self.serve),
            Route("GET", "/metrics", self.serve),
        ]

    async def serve(self, request: Request) -> Answer:
        router = await asyncio.shield(self._router)
        return await router.find(request).function(request)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()


def hold_of(layout: Layout) -> Hold:
    """The stacks' answer to which containers the engine leaves to them; their room is imported when it is first asked."""
    answer: list[Hold] = []

    def hold(labels: Mapping[str, str], requested: bool) -> bool:
        if not answer:
            from composer.daemon.stack_api import holds

            answer.append(holds(layout))
        return answer[0](labels, requested)

    return hold


def _import() -> None:
    import composer.daemon.stack_api  # noqa: F401
