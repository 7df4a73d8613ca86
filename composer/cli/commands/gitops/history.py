"""``composer gitops history``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.commands.gitops.show import clock
from composer.cli.listing import dump, write_table


@click.command()
@click.argument("name")
@click.option("-n", "--lines", type=click.IntRange(min=1), default=20, metavar="N", help="How many of the latest events (20).")
@click.option("--changes", is_flag=True, help="What was done, too.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="A table, or an object a line.")
def history(name: str, lines: int, changes: bool, form: str) -> None:
    """Show what happened to a source, newest first."""
    found = app().client.post("/composer/v1/gitops/history", {"name": name})[-lines:][::-1]
    if form == "json":
        sys.stdout.write("".join(dump(one) + "\n" for one in found))
        return
    rows: list[list[str]] = []
    for one in found:
        rows.append(_row(one))
        if changes:
            rows += [["", "", "", "", "", f"  {change}"] for change in one["changes"]]
    write_table(["WHEN", "EVENT", "STACK", "COMMIT", "CAUSE", "WHAT"], rows)


def _row(one: dict[str, Any]) -> list[str]:
    text = (one["text"] or one["subject"]).splitlines()
    took = f" ({one['seconds']:.2f} s)" if one["seconds"] else ""
    return [clock(one["time"]), one["kind"], one["stack"], one["commit"][:12], one["cause"], (text[0] if text else "") + took]
