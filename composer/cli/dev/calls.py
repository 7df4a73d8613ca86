"""Verbs for watch mode: done in a thread, cut when the watch no longer wants them, their progress gathered into a few words."""

from __future__ import annotations

import asyncio
import copy
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from composer.cli.app import App
from composer.cli.client import Client
from composer.cli.stack import Call, Line
from composer.errors import ComposerError

T = TypeVar("T")
CALL_SECONDS = 60.0  # for one answer that does no long work
_FINAL = {"Recreated": "re-created", "Started": "started", "Created": "created", "Removed": "removed", "Restarted": "restarted"}
_RANK = ("Removed", "Created", "Started", "Restarted", "Recreated")  # what is told of a container that had several


def twin(app: App) -> App:
    """The same app with a client of its own, for another thread."""
    other = copy.copy(app)
    other._client = None
    return other


class Calls:
    """``shows``: what to do with each line of progress."""

    def __init__(self, app: App, shows: Callable[[Line], None]) -> None:
        self.app = app
        self.shows = shows

    async def ask(self, question: Callable[[Client], T]) -> T:
        """Something short, with a client that lives so long."""

        def work() -> T:
            client = Client(self.app.address)
            try:
                return question(client)
            finally:
                client.close()

        return await asyncio.to_thread(work)

    async def verb(self, verb: str, options: dict[str, Any], *, shows: bool = True) -> tuple[Line, list[Line], frozenset[str]]:
        """The result, the lines of progress, and the paths that the stack is made of. Refused. Cancelled: the daemon is told so."""
        begun: list[Call] = []
        lines: list[Line] = []
        cut = False

        def work() -> Line:
            call = Call(twin(self.app), verb, options)
            begun.append(call)
            try:
                for line in call.lines():
                    if cut:
                        break
                    if line is not None and line.get("kind") == "progress":
                        lines.append(line)
                        if shows:
                            self.shows(line)
                return {} if cut else call.result
            except (ComposerError, OSError, ValueError):
                if cut:
                    return {}
                raise
            finally:
                call.close()

        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            result = await asyncio.shield(task)
        except asyncio.CancelledError:
            while begun and _has_to_end(lines) and not task.done():
                await asyncio.wait([task], timeout=0.1)
            cut = True
            for call in begun:
                hang_up(call)
            await asyncio.wait([task])
            raise
        files = frozenset(path for path in begun[0].project["contents"] if path != "-")
        return result, lines, files


def hang_up(call: Call) -> None:
    """End the connection; who waits in another thread to receive sees its end."""
    if call.reply is not None:
        with suppress(OSError):
            call.reply.connection.sock.shutdown(socket.SHUT_RDWR)


def _has_to_end(lines: list[Line]) -> bool:
    """Is an image being pulled or built? That is no wait, and is not cut."""
    working: dict[str, bool] = {}
    for line in lines:
        status = str(line.get("status", ""))
        if status.startswith(("Pull", "Build")):
            working[str(line.get("id"))] = not (line.get("done") or line.get("error"))
    return any(working.values())


def summary(lines: list[Line], project: str) -> list[str]:
    """What was done, in words: "web-1 re-created"."""
    found: dict[str, str] = {}
    for line in lines:
        kind, _, name = str(line.get("id", "")).partition(" ")
        status = str(line.get("status", ""))
        if kind != "Container" or status not in _FINAL:
            continue
        short = name.removeprefix(project + "-")
        if short not in found or _RANK.index(status) > _RANK.index(found[short]):
            found[short] = status
    return [f"{name} {_FINAL[status]}" for name, status in sorted(found.items())]
