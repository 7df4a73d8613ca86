"""Following containers: their logs and the engine's events in one poll loop.

A **Loop** waits for several sockets; each **source** has ``fileno()`` and is dealt with by its function. A **Follower** keeps a log
stream open for each running container of a project: what starts (again) is followed, what ends is told.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable
from typing import Any, Protocol

from composer.cli.client import ApiError, Client
from composer.cli.containers import NUMBER, ONEOFF, PROJECT, SERVICE, short_name
from composer.cli.logs import LogPrinter, LogStream, Wanted, after, open_logs

Event = dict[str, Any]


class Source(Protocol):
    def fileno(self) -> int: ...


class Loop:
    """Sockets and what to do when one is readable."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._ready: dict[int, Callable[[], None]] = {}

    def add(self, source: Source, ready: Callable[[], None]) -> None:
        self._ready[source.fileno()] = ready
        self._poll.register(source.fileno(), select.POLLIN)

    def drop(self, descriptor: int) -> None:
        if self._ready.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def turn(self, seconds: float | None = None) -> bool:
        """Wait, and deal with what came; False when nothing did."""
        found = self._poll.poll(None if seconds is None else seconds * 1000)
        for descriptor, _ in found:
            if (ready := self._ready.get(descriptor)) is not None:
                ready()
        return bool(found)


class Events:
    """The engine's events about a project's containers, as they come."""

    def __init__(self, client: Client, project: str, since: str | None = None) -> None:
        filters = {"label": [f"{PROJECT}={project}"], "type": ["container"]}
        self.reply = client.stream("GET", "/events", {"filters": filters, "since": since})
        self.rest = b""

    def fileno(self) -> int:
        return self.reply.fileno()

    def ready(self) -> list[Event]:
        return self.parse(self.reply.feed())

    def parse(self, data: bytes) -> list[Event]:
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [json.loads(raw) for raw in whole if raw.strip()]

    @property
    def ended(self) -> bool:
        return self.reply.ended


class Follower:
    """Prints the output of the containers of ``services`` (None: all) while they run; `alive` are those that have not ended for good.

    ``shown``: the services whose output is printed (None: all). ``on_exit(service, container, code)`` is told of each end.
    """

    def __init__(
        self,
        client: Client,
        loop: Loop,
        printer: LogPrinter,
        wanted: Wanted,
        *,
        services: set[str] | None = None,
        shown: set[str] | None = None,
        tell_exit: bool = False,
        index: int = 0,
        on_exit: Callable[[str, str, int], None] | None = None,
    ) -> None:
        self.client, self.loop, self.printer, self.wanted = client, loop, printer, wanted
        self.services, self.shown, self.tell_exit, self.index, self.on_exit = services, shown, tell_exit, index, on_exit
        self.streams: dict[str, LogStream] = {}
        self.last: dict[str, bytes] = {}
        self.alive: dict[str, tuple[str, str]] = {}  # container id -> its service and short name
        self.codes: dict[str, int] = {}  # ended, and its log may still have lines

    def follows(self, service: str, oneoff: bool, number: str = "") -> bool:
        return not oneoff and (self.services is None or service in self.services) and (not self.index or number == str(self.index))

    def add(self, row: dict[str, Any], alive: bool = True, wanted: Wanted | None = None) -> None:
        """Follow this container (a row of the list, or made of an event)."""
        key, service = row["Id"], str(row["Labels"].get(SERVICE, ""))
        name = short_name(row)
        self.codes.pop(key, None)
        if alive:
            self.alive[key] = (service, name)
        if key in self.streams or (self.shown is not None and service not in self.shown):
            return
        again = after(self.last.get(key, b""))
        how = wanted or (Wanted(follow=self.wanted.follow, since=again) if again else self.wanted)
        self.printer.register([name])
        try:
            stream = open_logs(self.client, row, how)
        except ApiError as error:
            if error.status not in (400, 501):
                raise
            sys.stderr.write(f'Can\'t retrieve logs for "{name}": {error.message}\n')  # driver none
            return
        self.streams[key] = stream
        self.loop.add(stream, lambda: self._ready(key, stream))
        self._print(stream, list(stream.cut(stream.reply.drain())))
        if stream.ended:
            self._ready(key, stream)

    def listen(self, events: Events) -> None:
        """Deal with the events as they come."""

        def ready() -> None:
            for event in events.ready():
                self.event(event)

        self.loop.add(events, ready)

    def event(self, event: Event) -> None:
        """A container of the project started or died."""
        actor = event.get("Actor") or {}
        labels = actor.get("Attributes") or {}
        key, action = str(actor.get("ID", "")), str(event.get("Action", ""))
        if not self.follows(str(labels.get(SERVICE, "")), labels.get(ONEOFF) == "True", str(labels.get(NUMBER, ""))):
            return
        if action == "start":
            self.add({"Id": key, "Names": ["/" + str(labels.get("name", ""))], "Labels": labels})
        elif action == "die":
            self._died(key, str(labels.get(SERVICE, "")), str(labels.get("name", "")), int(labels.get("exitCode") or 0))

    def _died(self, key: str, service: str, name: str, code: int) -> None:
        if self._comes_back(key):
            return
        self.codes[key] = code
        if key not in self.streams:
            self._told(key)
        if self.on_exit is not None:
            self.on_exit(service, name, code)

    def _comes_back(self, key: str) -> bool:
        """Will its restart policy start it again?"""
        try:
            state = self.client.get(f"/containers/{key}/json").get("State") or {}
        except ApiError:
            return False
        return bool(state.get("Restarting") or state.get("Running"))

    def _told(self, key: str) -> None:
        """Its log is at the end: say how it ended, if it did."""
        if key in self.codes:
            code = self.codes.pop(key)
            service, name = self.alive.pop(key, ("", ""))
            if self.tell_exit and name and (self.shown is None or service in self.shown):
                self.printer.say(name, f"exited with code {code}")

    def _ready(self, key: str, stream: LogStream) -> None:
        descriptor = stream.fileno()
        self._print(stream, stream.ready())
        self.last[key] = stream.last
        if stream.ended:
            self.loop.drop(descriptor)
            stream.reply.connection.close()
            self.streams.pop(key, None)
            self._told(key)

    def _print(self, stream: LogStream, lines: list[Any]) -> None:
        for line in lines:
            self.printer.line(stream.container, line)
        if lines:
            self.printer.flush()
