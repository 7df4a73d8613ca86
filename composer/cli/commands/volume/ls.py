"""``composer volume ls``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.each import filters as parse
from composer.cli.listing import show

COLUMNS = (("DRIVER", "Driver"), ("VOLUME NAME", "Name"))


@click.command()
@click.option("-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Filter by dangling, driver, label, name.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names.")
def ls(filters: tuple[str, ...], form: str, quiet: bool) -> None:
    """List volumes."""
    found = app().client.get("/volumes", {"filters": parse(filters)})["Volumes"] or []
    rows = [fields(volume) for volume in sorted(found, key=lambda one: str(one["Name"]))]
    if quiet:
        sys.stdout.write("".join(f"{row['Name']}\n" for row in rows))
    else:
        show(rows, COLUMNS, form)


def fields(volume: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": volume["Name"],
        "Driver": volume.get("Driver", ""),
        "Scope": volume.get("Scope", ""),
        "Mountpoint": volume.get("Mountpoint", ""),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted((volume.get("Labels") or {}).items())),
        "Links": "N/A",
        "Size": "N/A",
        "Availability": "N/A",
        "Group": "N/A",
        "Status": "N/A",
    }
