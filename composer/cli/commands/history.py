"""``composer history``, ``rollback`` and ``diff``: the revisions of a stack."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.console import GREEN, RED, YELLOW
from composer.cli.listing import show
from composer.cli.options import dry_run, files, timeout
from composer.cli.stack import run

_COLUMNS = (("REVISION", "Revision"), ("CREATED", "Created"), ("STATUS", "Status"), ("CHANGED", "Changed"), ("IMAGES", "Images"))
_COLOURS = {"+": GREEN, "-": RED, "~": YELLOW}


@click.command()
@files
@click.option("-q", "--quiet", is_flag=True, help="Only display the numbers.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
def history(quiet: bool, form: str) -> None:
    """List the revisions of the stack, the newest first."""
    found = run(app(), "history", {})["revisions"]
    if quiet:
        sys.stdout.write("".join(f"{one['number']}\n" for one in found))
        return
    show([_row(one, whole=form not in ("table", "")) for one in found], _COLUMNS, form, array=True)


def _row(one: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    changed = "; ".join([one["changed"], *(f"failed: {note}" for note in one["failed"])])
    if not whole and len(changed) > 100:
        changed = changed[:97] + "..."
    images = ", ".join(dict.fromkeys(one["images"].values()))
    return {
        "Revision": one["number"],
        "Created": one["created"],
        "Status": one["status"],
        "Changed": changed,
        "Images": images,
        "Healthy": one["healthy"],
        "Wanted": one["wanted"],
        "ImageIDs": one["image_ids"],
    }


@click.command()
@files
@timeout
@dry_run
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the revision does not have.")
@click.argument("revision", type=int, required=False)
def rollback(revision: int | None, remove_orphans: bool, timeout: int | None) -> None:
    """Go back to REVISION, or to the last healthy one before the current."""
    application = app()
    options = {"revision": revision, "remove_orphans": remove_orphans, "timeout": timeout, "dry_run": application.dry_run}
    found = run(application, "rollback", options)
    if application.dry_run:
        from composer.cli.plan_text import text

        sys.stdout.write(text(found, application.console))
    else:
        application.warn(f"stack {found['project']} is at revision {found['revision']}")


@click.command()
@files
@click.argument("revision", type=int, required=False)
@click.option("--exit-code", "coded", is_flag=True, help="Exit with 1 when something differs.")
def diff(revision: int | None, coded: bool) -> int:
    """Show what differs between REVISION (default: the last healthy one before) and the current one."""
    application = app()
    found = run(application, "diff", {"revision": revision})
    one, other = found["status"]
    lines = [f"revision {found['from']} ({one}) -> revision {found['to']} ({other})", *found["lines"]]
    if not found["lines"]:
        lines.append("nothing differs")
    paint = application.console.paint if sys.stdout.isatty() else None
    for line in lines:
        colour = _COLOURS.get(line.lstrip()[:1])
        sys.stdout.write((paint(line, colour) if paint and colour else line) + "\n")
    return 1 if coded and found["lines"] else 0
