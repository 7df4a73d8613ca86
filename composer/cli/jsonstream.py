"""The streams of JSON messages in which the engine tells of pull, push, load, import and build (Docker's jsonmessage).

``{"stream": text}`` is output; ``{"id", "status", "progressDetail"}`` is progress of one layer; ``{"error"}`` ends in failure.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from composer.cli.client import ApiError
from composer.cli.console import Console
from composer.cli.http import Reply
from composer.cli.progress import Progress, progress
from composer.cli.units import decimal

DONE = ("complete", "exists", "pushed", "mounted from")


def follow(reply: Reply, console: Console, *, quiet: bool = False) -> list[Any]:
    """Show the messages as they come; the ``aux`` values. Raises ApiError when one is an error."""
    aux: list[Any] = []
    bar: Progress | None = None
    try:
        for raw in reply.lines(0.1 if console.style == "tty" else None):
            if raw is None:
                if bar is not None:
                    bar.tick()
                continue
            message = json.loads(raw)
            if message.get("error") or message.get("errorDetail"):
                detail = message.get("errorDetail") or {}
                raise ApiError(500, str(message.get("error") or detail.get("message")), detail.get("hint"))
            if "aux" in message:
                aux.append(message["aux"])
            if quiet:
                continue
            if message.get("id") and message.get("status"):
                bar = bar or progress(console)
                bar.event(_event(message))
            elif message.get("stream") or message.get("status"):
                if bar is not None:
                    bar.close()
                    bar = None
                sys.stdout.write(message.get("stream") or message["status"] + "\n")
                sys.stdout.flush()
    finally:
        if bar is not None:
            bar.close()
        reply.connection.close()
    return aux


def _event(message: dict[str, Any]) -> dict[str, Any]:
    detail = message.get("progressDetail") or {}
    current, total = detail.get("current"), detail.get("total")
    amount = f"{decimal(current)}/{decimal(total)}" if current and total else ""
    status = str(message["status"])
    return {"id": message["id"], "status": status, "done": any(word in status.lower() for word in DONE), "detail": amount}
