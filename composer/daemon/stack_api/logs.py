"""`logs`: the output of many containers as one stream; with ``follow`` what comes, from containers that come, too.

Without ``follow`` the lines are merged by their time. With it a line "exit" tells that a container has ended, and the stream ends with
the last of them.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.subject import Subject, subject
from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.model import LogOptions
from composer.reconcile import labels
from composer.reconcile.model import Live
from composer.reconcile.observe import container_live

Line = dict[str, Any]

_LOOK_AGAIN = 2.0  # seconds, for a container that is between two runs


async def logs(stacks: Stacks, call: Call) -> Line:
    """``services``, ``follow``, ``tail`` (a number or "all"), ``since`` and ``until`` (seconds since 1970), ``index``."""
    about = await subject(stacks, call)
    lives = about.replicas(await about.look(stacks))
    index = call.options.number("index")
    if index is not None:
        lives = [live for live in lives if live.number == index]
    options = _options(call)
    if call.options.flag("follow"):
        await _Follower(stacks, call, about, options).run(lives)
    else:
        await _merged(stacks, call, lives, options)
    return {"project": about.name}


def _options(call: Call) -> LogOptions:
    tail = None if call.options.given("tail") is False else _tail(call)
    return LogOptions(
        follow=call.options.flag("follow"),
        tail=tail,
        since=call.options.seconds("since") or 0.0,
        until=call.options.seconds("until") or 0.0,
    )


def _tail(call: Call) -> int | None:
    try:
        return call.options.number("tail")
    except InvalidArgument:
        if call.options.text("tail") == "all":
            return None
        raise


async def _merged(stacks: Stacks, call: Call, lives: list[Live], options: LogOptions) -> None:
    sources = [_lines(stacks, live, options) for live in lives]
    heap: list[tuple[str, int, Line]] = []

    async def refill(number: int) -> None:
        line = await anext(sources[number], None)
        if line is not None:
            heapq.heappush(heap, (str(line["time"]), number, line))

    for number in range(len(sources)):
        await refill(number)
    while heap:
        _, number, line = heapq.heappop(heap)
        await call.send(line)
        await refill(number)


async def _lines(stacks: Stacks, live: Live, options: LogOptions) -> AsyncIterator[Line]:
    """The whole lines of one container; a last one without an end is told at the end."""
    rest: dict[int, tuple[bytes, str]] = {}
    try:
        async for frame in stacks.engine.containers.logs(live.id, options):
            begun, time = rest.pop(frame.stream, (b"", ""))
            data, time = begun + frame.data, time or frame.time
            *whole, open_end = data.split(b"\n")
            for text in whole:
                yield _line(live, frame.stream, time, text)
            if open_end:
                rest[frame.stream] = (open_end, frame.time)
    except NotFound:
        return
    for stream, (text, time) in rest.items():
        yield _line(live, stream, time, text)


def _line(live: Live, stream: int, time: str, text: bytes) -> Line:
    return {
        "kind": "log",
        "container": live.ref.name,
        "service": live.service,
        "number": live.number,
        "stream": stream,
        "time": time,
        "text": text.removesuffix(b"\r").decode("utf-8", "replace"),
    }


class _Follower:
    """Follows the containers of a project until all have ended. ``_active``: id -> what wakes its follower when it starts again."""

    def __init__(self, stacks: Stacks, call: Call, about: Subject, options: LogOptions) -> None:
        self._stacks, self._call, self._about, self._options = stacks, call, about, options
        self._active: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()

    async def run(self, lives: list[Live]) -> None:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(group))
            for live in lives:
                self._begin(group, live, self._options)
            while self._active:
                self._changed.clear()
                await self._changed.wait()
            watching.cancel()

    def _begin(self, group: asyncio.TaskGroup, live: Live, options: LogOptions) -> None:
        if live.id in self._active:
            self._active[live.id].set()
        else:
            self._active[live.id] = asyncio.Event()
            group.create_task(self._follow(live, options))

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        filters = {"type": ["container"], "event": ["start"], "label": [f"{labels.PROJECT}={self._about.name}"]}
        services = self._about.services
        async for event in self._stacks.engine.events(filters):
            try:
                live = container_live(await self._stacks.engine.containers.inspect(event.actor.id))
            except NotFound:
                continue
            if not live.oneoff and (services is None or live.service in services):
                self._begin(group, live, LogOptions(follow=True, since=event.time_nano / 1e9))

    async def _follow(self, live: Live, options: LogOptions) -> None:
        """One container, over its restarts by policy: what was told before one is not told again."""
        told = ""
        while True:
            before = told
            async for line in _lines(self._stacks, live, options):
                told = str(line["time"])
                if not before or told > before:
                    await self._call.send(line)
            status, code = await self._state(live.id)
            if status not in ("running", "restarting"):
                break
            await self._started_again(live.id)
            options = LogOptions(follow=True, since=options.since, until=options.until)
        await self._call.send({"kind": "exit", "container": live.ref.name, "service": live.service, "id": live.id, "status": code})
        del self._active[live.id]
        self._changed.set()

    async def _started_again(self, ident: str) -> None:
        try:
            async with asyncio.timeout(_LOOK_AGAIN):
                await self._active[ident].wait()
        except TimeoutError:
            return  # the state is looked at again
        finally:
            self._active[ident].clear()

    async def _state(self, ident: str) -> tuple[str, int]:
        try:
            state = (await self._stacks.engine.containers.inspect(ident)).state
        except NotFound:
            return "removed", 0
        return state.status, state.exit_code
