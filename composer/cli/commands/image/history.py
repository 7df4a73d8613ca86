"""``composer image history``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.client import quote
from composer.cli.listing import show
from composer.cli.units import image as human
from composer.cli.units import since, stamp

COLUMNS = (("IMAGE", "ID"), ("CREATED", "CreatedSince"), ("CREATED BY", "CreatedBy"), ("SIZE", "Size"), ("COMMENT", "Comment"))


@click.command()
@click.argument("name", metavar="IMAGE")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("-H", "--human/--no-human", "human_", default=True, help="Sizes and times in words.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
def history(name: str, form: str, human_: bool, no_trunc: bool, quiet: bool) -> None:
    """Show the history of an image."""
    rows = [_row(item, human_, no_trunc) for item in app().client.get(f"/images/{quote(name)}/history")]
    if quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
    else:
        show(rows, COLUMNS, form)


def _row(item: dict[str, Any], human_: bool, no_trunc: bool) -> dict[str, Any]:
    identity, by = str(item.get("Id") or "<missing>"), str(item.get("CreatedBy") or "").replace("\t", " ")
    created = item.get("Created", 0)
    return {
        "ID": identity if no_trunc else identity.removeprefix("sha256:")[:12],
        "CreatedSince": since(created) if human_ else stamp(created),
        "CreatedAt": stamp(created),
        "CreatedBy": by if no_trunc or len(by) <= 45 else by[:44] + "…",
        "Size": human(item.get("Size", 0)) if human_ else str(item.get("Size", 0)),
        "Comment": item.get("Comment", ""),
    }
