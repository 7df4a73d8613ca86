"""``composer events``: what happens to the stack's containers."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from composer.cli.app import app
from composer.cli.containers import ONEOFF, PROJECT, SERVICE
from composer.cli.listing import dump
from composer.cli.options import files, services
from composer.cli.resolve import resolve
from composer.cli.units import parse_time

HIDDEN = ("com.docker.compose.", "composer.")


@click.command()
@files
@services
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
@click.option("--since", default=None, metavar="TIME", help="Events since a time, or so long ago.")
@click.option("--until", default=None, metavar="TIME", help="Stop at this time.")
def events(services: tuple[str, ...], as_json: bool, since: str | None, until: str | None) -> None:
    """Receive real time events from containers."""
    application = app()
    stack = resolve(application, services)
    filters = {"label": [f"{PROJECT}={stack.name}"], "type": ["container"]}
    query = {"filters": filters, "since": parse_time(since) if since else None, "until": parse_time(until) if until else None}
    import json

    for raw in application.client.stream("GET", "/events", query).lines():
        row = fields(json.loads(raw or b"{}"))
        if row is None or (services and row["service"] not in services):
            continue
        sys.stdout.write((dump(row) if as_json else _text(row)) + "\n")
        sys.stdout.flush()


def fields(event: dict[str, Any]) -> dict[str, Any] | None:
    """An event as docker compose's ``events --json`` has it; None for those of one-off containers."""
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    if attributes.get(ONEOFF) == "True" or not attributes.get(SERVICE):
        return None
    nano = int(event.get("timeNano") or int(event.get("time") or 0) * 10**9)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nano // 10**9))
    return {
        "time": f"{stamp}.{nano % 10**9:09d}Z",
        "type": event.get("Type", ""),
        "action": event.get("Action", ""),
        "id": actor.get("ID", ""),
        "service": attributes[SERVICE],
        "attributes": {key: value for key, value in attributes.items() if not key.startswith(HIDDEN)},
    }


def _text(row: dict[str, Any]) -> str:
    stamp = row["time"][:26].replace("T", " ")
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(row["attributes"].items()))
    return f"{stamp} {row['type']} {row['action']} {row['id']} ({attributes})"
