"""/events: what happens, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from composer.daemon.request import Request
from composer.daemon.response import Answer, close, stream_json
from composer.daemon.router import Route
from composer.engine.filters import events as filtering
from composer.engine.interface import Engine
from composer.engine.model import Event

_LONG_AGO = 1e-9  # since=0 asks for all that is remembered; 0.0 means "from now on" to the engine


class EventRoutes:
    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def routes(self) -> list[Route]:
        return [Route("GET", "/events", self.events)]

    async def events(self, request: Request) -> Answer:
        query, now = request.query, self._clock()
        filters = query.filters()
        filtering.wanted(filters)
        since = query.time("since", now) or (_LONG_AGO if query.text("since") else 0.0)
        found = self._engine.events(filters, since=since, until=query.time("until", now))

        async def told() -> AsyncIterator[dict[str, Any]]:
            try:
                async for event in found:
                    yield event_line(event)
            finally:
                await close(found)

        return stream_json(told())


def event_line(event: Event) -> dict[str, Any]:
    """With the fields of the first API beside: ``status``, ``id``, ``from`` (containers and images)."""
    wire = event.to_wire()
    if event.type in ("container", "image"):
        wire = {"status": event.action, "id": event.actor.id} | wire
    if event.type == "container":
        wire["from"] = event.actor.attributes.get("image", "")
    return wire
