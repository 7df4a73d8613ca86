"""``composer gitops suspend`` and ``resume``."""

from __future__ import annotations

import re

import click

from composer.cli.app import app
from composer.cli.commands.gitops.show import show_status

_PART = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """ "1h30m" as seconds; a bare number is seconds. UsageError."""
    if text.isdigit():
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise click.UsageError(f"not a duration: {text!r} (such as 90s, 2h or 1d12h)")
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


@click.command()
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Why; the status shows it.")
@click.option("--for", "duration", default="", metavar="DURATION", help="Resume by itself after this time (90s, 2h, 1d).")
def suspend(name: str, reason: str, duration: str) -> None:
    """Fetch and bring up nothing until it is resumed. What runs is still healed."""
    body = {"name": name, "reason": reason, "seconds": seconds(duration) if duration else 0.0}
    show_status(app().client.post("/composer/v1/gitops/suspend", body))


@click.command()
@click.argument("name")
def resume(name: str) -> None:
    """Follow a suspended source again, beginning with a look now."""
    show_status(app().client.post("/composer/v1/gitops/resume", {"name": name}))
