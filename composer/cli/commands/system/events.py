"""``composer system events``: everything that happens in the engine."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from composer.cli.app import app
from composer.cli.each import filters as parse
from composer.cli.units import parse_time


@click.command()
@click.option("-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Filter by container, event, image, label, type ...")
@click.option("--format", "form", default="", metavar="FORMAT", help="json, or a Go template.")
@click.option("--since", default=None, metavar="TIME", help="Events since a time, or so long ago.")
@click.option("--until", default=None, metavar="TIME", help="Stop at this time.")
def events(filters: tuple[str, ...], form: str, since: str | None, until: str | None) -> None:
    """Show the engine's events, live."""
    query = {"filters": parse(filters), "since": parse_time(since) if since else None, "until": parse_time(until) if until else None}
    template = None
    if form and form != "json":
        from composer.cli.template import Template

        template = Template(form)
    for raw in app().client.stream("GET", "/events", query).lines():
        event = json.loads(raw or b"{}")
        text = template.render(event) if template else (raw or b"").decode() if form else _text(event)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _text(event: dict[str, Any]) -> str:
    actor = event.get("Actor") or {}
    nano = int(event.get("timeNano") or 0)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(nano // 10**9)) + f".{nano % 10**9:09d}" + time.strftime("%z")
    attributes = ", ".join(f"{key}={value}" for key, value in sorted((actor.get("Attributes") or {}).items()))
    return f"{stamp} {event.get('Type', '')} {event.get('Action', '')} {actor.get('ID', '')} ({attributes})"
