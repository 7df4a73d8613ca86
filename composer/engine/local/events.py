"""The bus of events: what happened, told to whoever listens, in Docker's words.

The last `HISTORY` events are kept for ``since``. Each listener has a bounded queue: one that reads too slowly is told so (Unavailable)
and must look afresh, so memory stays bounded and nobody believes that it saw everything. Events are hints: a lost one never hurts.
Source: Docker Engine API v1.47, `GET /events`.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Mapping

from composer.engine.errors import Unavailable
from composer.engine.filters import events as filtering
from composer.engine.filters.words import Filters
from composer.engine.model import Actor, Event

HISTORY = 1024
QUEUE = 4096


def event(kind: str, action: str, ident: str, attributes: Mapping[str, str], *, now: int | None = None) -> Event:
    """An event of this moment (``now``: ns since 1970)."""
    moment = time.time_ns() if now is None else now
    actor = Actor(id=ident, attributes=dict(attributes))
    return Event(type=kind, action=action, actor=actor, time=moment // 10**9, time_nano=moment)


class Subscription(AsyncIterator[Event]):
    """One listener. Registered from its making on, so nothing is missed before the first read. Ends at ``until``, or by `close`."""

    def __init__(self, filters: Filters, until: float) -> None:
        self._filters = filters
        self._until = until
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._lost = False
        self._closed = False

    def offer(self, event: Event) -> None:
        if self._closed or self._lost or not filtering.passes(event, self._filters):
            return
        if len(self._queue) >= QUEUE:
            self._lost = True
            self._queue.clear()
        else:
            self._queue.append(event)
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    async def aclose(self) -> None:
        self.close()

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._lost:
                self._closed = True
                self._lost = False
                raise Unavailable("events were lost: the reader was too slow", hint="look at the present state, then subscribe again")
            if self._closed or not await self._more():
                raise StopAsyncIteration
        found = self._queue.popleft()
        if self._until and found.time_nano > self._until * 1e9:
            self.close()
            raise StopAsyncIteration
        return found

    async def _more(self) -> bool:
        self._wake.clear()
        left = self._until - time.time() if self._until else None
        if left is not None and left <= 0:
            return False
        try:
            async with asyncio.timeout(left):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True


class Events:
    """Publish and subscribe, within one loop."""

    def __init__(self) -> None:
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self._listeners: weakref.WeakSet[Subscription] = weakref.WeakSet()

    def publish(self, event: Event) -> None:
        """Never blocks, never fails."""
        self._history.append(event)
        for listener in list(self._listeners):
            listener.offer(event)

    def subscribe(self, filters: Filters | None = None, *, since: float = 0.0, until: float = 0.0) -> Subscription:
        """``since`` and ``until``: seconds since 1970, 0 = from now, without end. InvalidArgument: a filter that is not known."""
        subscription = Subscription(filtering.wanted(filters), until)
        if since:
            for past in self._history:
                if past.time_nano >= since * 1e9:
                    subscription.offer(past)
        self._listeners.add(subscription)
        return subscription

    def close(self) -> None:
        """End every subscription."""
        for listener in list(self._listeners):
            listener.close()
