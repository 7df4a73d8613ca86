"""The door (composer.watch.door) to a daemon, over its socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from composer.cli.app import App
from composer.cli.client import Client
from composer.cli.containers import ONEOFF, SERVICE, Summary, label, of_project, short_name
from composer.cli.dev.calls import CALL_SECONDS, Calls, summary
from composer.cli.dev.run import run_in
from composer.cli.dev.voice import Terminal
from composer.cli.http import Reply
from composer.cli.stack import Refused
from composer.cli.watch import Events
from composer.watch.door import Replica, Turn
from composer.watch.model import Exec, Subject, subject_of
from composer.watch.pack import Parcel


class Daemon:
    """``options``: those of the `up` that brings changes of the stack's files; ``prune``: remove images that a rebuild leaves behind."""

    def __init__(self, app: App, voice: Terminal, options: Mapping[str, Any], *, prune: bool = True) -> None:
        self.app = app
        self.voice = voice
        self.options = dict(options)
        self.prune = prune
        self.calls = Calls(app, voice.progress)
        self.project = ""

    # -- replicas --------------------------------------------------------------------------------------------------------------

    async def replicas(self) -> Sequence[Replica]:
        rows = await self.calls.ask(lambda client: of_project(client, self.project))
        return [_replica(row) for row in rows]

    async def turns(self) -> AsyncIterator[Turn]:
        events = await asyncio.to_thread(lambda: Events(Client(self.app.address), self.project))
        return _turns(events)

    # -- files -----------------------------------------------------------------------------------------------------------------

    async def sync(self, containers: Sequence[str], parcel: Parcel) -> Mapping[str, str]:
        def work(client: Client) -> Any:
            return _json(client.stream("POST", "/composer/v1/sync", upload=parcel.body(containers), timeout=CALL_SECONDS))

        answer = await self.calls.ask(work)
        return {row["id"]: row["problem"] for row in answer["containers"] if row["problem"]}

    async def signatures(self, container: str, trees: Mapping[str, Sequence[str]]) -> Mapping[str, Mapping[str, str]]:
        body = {"container": container, "trees": {target: list(paths) for target, paths in trees.items()}}
        answer = await self.calls.ask(lambda client: client.post("/composer/v1/signatures", body, timeout=CALL_SECONDS))
        found: Mapping[str, Mapping[str, str]] = answer["trees"]
        return found

    # -- what follows ----------------------------------------------------------------------------------------------------------

    async def restart(self, service: str, one: Replica | None = None) -> None:
        if one is None:
            await self.calls.verb("restart", {"services": [service]}, shows=False)
        else:
            await self.calls.ask(lambda client: client.post(f"/containers/{one.id}/restart"))

    async def exec(self, replica: Replica, command: Exec) -> int:
        return await asyncio.to_thread(run_in, self.app.address, replica, command, self.voice.output)

    async def rebuild(self, services: Collection[str]) -> Sequence[str]:
        names = sorted(services)
        await self.calls.verb("build", {"services": names})
        _, lines, _ = await self.calls.verb("up", {**self.options, "services": names, "no_deps": True, "build": False})
        await self._prune()
        return summary(lines, self.project)

    async def _prune(self) -> None:
        if not self.prune:
            return
        filters = {"dangling": ["true"], "label": [f"com.docker.compose.project={self.project}"]}
        await self.calls.ask(lambda client: client.post("/images/prune", query={"filters": filters}, timeout=CALL_SECONDS))

    # -- the stack's files -----------------------------------------------------------------------------------------------------

    async def load(self) -> Subject | None:
        try:
            result, _, files = await self.calls.verb("watching", {"services": list(self.options.get("services") or ())})
        except Refused as error:
            if error.message:
                self.voice.warn(error.message, error.hint or "")
            return None
        self.project = str(result["name"])
        return subject_of(result, files)

    async def apply(self, builds: Collection[str], removed: Collection[str]) -> Sequence[str]:
        if builds:
            await self.calls.verb("build", {"services": sorted(builds)})
        _, lines, _ = await self.calls.verb("up", {**self.options, "build": False, "ignore_orphans": bool(removed)})
        did = summary(lines, self.project)
        if removed:
            _, lines, _ = await self.calls.verb("rm", {"services": sorted(removed), "stop": True})
            did += summary(lines, self.project)
        if builds:
            await self._prune()
        return did


def _json(reply: Reply) -> Any:
    found = reply.json()
    reply.connection.close()
    return found


def _replica(row: Summary) -> Replica:
    return Replica(row["Id"], label(row, SERVICE), short_name(row))


async def _turns(events: Events) -> AsyncIterator[Turn]:
    """The engine's events, read when the socket is readable; no thread waits for them."""
    try:
        found = events.parse(events.reply.drain())
        while True:
            for event in found:
                if (turn := _turn(event)) is not None:
                    yield turn
            if events.ended:
                return
            await _readable(events.fileno())
            found = events.ready()
    finally:
        events.reply.connection.close()


async def _readable(descriptor: int) -> None:
    """Until one receive will not block."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        loop.remove_reader(descriptor)
        if not found.done():
            found.set_result(None)

    loop.add_reader(descriptor, ready)
    try:
        await found
    finally:
        loop.remove_reader(descriptor)


def _turn(event: Mapping[str, Any]) -> Turn | None:
    actor = event.get("Actor") or {}
    labels = actor.get("Attributes") or {}
    action = str(event.get("Action", ""))
    if action not in ("start", "die") or labels.get(ONEOFF) == "True":
        return None
    row = {"Id": str(actor.get("ID", "")), "Names": ["/" + str(labels.get("name", ""))], "Labels": labels}
    return Turn(_replica(row), action == "start")
