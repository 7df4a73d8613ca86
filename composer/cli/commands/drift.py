"""``composer drift``: what was not as it should be, since when, and what came of it."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.listing import dump, write_table
from composer.cli.options import files, services
from composer.cli.stack import run
from composer.cli.units import ago, since, unix


@click.command()
@files
@services
@click.option("--check", is_flag=True, help="Look at everything now, instead of at the next event or resync.")
@click.option("--open", "open_", is_flag=True, help="Only what lasts.")
@click.option("-n", "--tail", type=int, default=30, metavar="N", help="The newest N (default 30; -1: all that is kept).")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print it.")
@click.option("--exit-code", "exit_code", is_flag=True, help="Exit with 2 when something lasts.")
def drift(services: tuple[str, ...], check: bool, open_: bool, tail: int, form: str, exit_code: bool) -> int:
    """What was not as the stack's file says, or did not work: healed, reported or ignored (x-heal)."""
    result = run(app(), "drift", {"services": list(services), "check": check, "open": open_, "tail": tail})
    rows = result.get("drift") or []
    if form == "json":
        sys.stdout.write("".join(dump(row) + "\n" for row in rows))
    elif rows:
        write_table(["SINCE", "SERVICE", "WHAT", "FOUND BY", "RESULT"], [_cells(row) for row in rows])
    else:
        sys.stdout.write("no drift\n" if result.get("known") else f"no drift: no stack {result.get('project')} is looked after\n")
    return 2 if exit_code and any(not row["Ended"] and row["Result"] != "ignored" for row in rows) else 0


def _cells(row: dict[str, Any]) -> list[str]:
    what = f"{row['Subject']}: {row['What']}"
    return [since(unix(row["Since"])), row["Service"] or "-", what, row["Found"], outcome(row)]


def outcome(row: dict[str, Any]) -> str:
    """ "healed in 0.21 s (create, start)", "reported, lasts", "ignored, over after 3 minutes"."""
    detail = f" ({row['Detail']})" if row["Detail"] else ""
    if row["Result"] == "healed":
        return (f"healed in {row['Took']:.2f} s" if row["Took"] >= 0.005 else "healed") + detail
    if not row["Ended"]:
        return f"{row['Result']}, lasts{detail}"
    return f"{row['Result']}, over after {ago(unix(row['Ended']) - unix(row['Since'])).lower()}{detail}"
