"""``composer why SERVICE``: why it runs, waits, was made anew or died, on one screen."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import App, app
from composer.cli.commands.drift import outcome
from composer.cli.console import BOLD, CYAN
from composer.cli.listing import dump
from composer.cli.options import files
from composer.cli.stack import run
from composer.cli.units import ago, since, unix

Line = dict[str, Any]


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from composer.cli.complete import services as known

    return [name for name in known(ctx) if name.startswith(incomplete)]


@click.command()
@files
@click.argument("service", shell_complete=_complete)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def why(service: str, form: str) -> None:
    """Say why a service runs, waits, was made anew or died."""
    answer = run(app(), "why", {"service": service})["why"]
    sys.stdout.write(dump(answer) + "\n" if form == "json" else text(app(), answer))


def text(app: App, answer: Line) -> str:
    """One screen."""
    head = app.console.paint(f"{answer['stack']}/{answer['service']}", BOLD, 1)
    lines = [f"{head}: {answer['summary']}{_at(app, answer['at'])}"]
    meant = answer["meant"]
    if meant["wish"]:
        by = f", by `composer {meant['by']}` {since(unix(meant['at']))}" if meant["by"] else ""
        lines.append(f"  meant:       {meant['wish']}{by}")
    if answer["schedule"]:
        lines.append(f"  by the clock: {answer['schedule']['cron']} {answer['schedule']['timezone']}{_at(app, answer['schedule']['at'])}")
    if answer["profiles"]:
        lines.append(f"  profiles:    {', '.join(answer['profiles']['names'])}{_at(app, answer['profiles']['at'])}")
    for need in answer["waits_for"]:
        word = "needs:      " if need["met"] else "waits for:  "
        lines.append(f"  {word} {need['service']} ({need['condition']}): {need['now']}{_at(app, need['at'])}")
    for one in answer["containers"]:
        lines += _container(app, one)
    lines += _done(app, answer["done"])
    for one in answer["drift"]:
        lines.append(
            f"  drift:       {since(unix(one['Since']))}: {one['Subject']}: {one['What']}; found by {one['Found']}; {outcome(one)}"
        )
    return "\n".join(lines) + "\n"


def _container(app: App, one: Line) -> list[str]:
    moment = one["started"] if one["state"] in ("running", "paused") else one["finished"]
    when = f", {since(unix(moment))}" if unix(moment) else ""
    lines = [f"  container:   {one['name']}: {one['text']}{when}{_at(app, one['at'])}"]
    if one["error"]:
        lines.append(f"    error:     {one['error']}")
    if one["next_start"]:
        lines.append(f"    next try:  in {ago(max(0.0, unix(one['next_start']) - _now())).lower()} (restart: {one['policy']})")
    elif one["state"] == "exited" and not one["by_request"]:
        lines.append(f"    next try:  none (restart: {one['policy']})")
    if one["health"] == "unhealthy":
        lines.append(f"    probe:     {one['failing']} failures in a row; the last said: {one['probe'] or '(nothing)'}")
    lines += [f"    | {line}" for line in one["output"]]
    return lines


def _done(app: App, done: list[Line]) -> list[str]:
    lines = []
    for one in done:
        failed = "" if one["result"] == "done" else f" -> {one['result']}: {one['detail']}"
        by = "the healing" if one["by"] == "healing" else f"`composer {one['by']}`"
        places = _at(app, ", ".join(one["places"]))
        lines.append(f"  done:        {since(unix(one['at']))} by {by}: {one['verb']} {one['subject']}: {one['cause']}{failed}{places}")
    return lines


def _at(app: App, place: str) -> str:
    return f"   {app.console.paint(place, CYAN, 1)}" if place else ""


def _now() -> float:
    import time

    return time.time()
