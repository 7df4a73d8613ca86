"""``composer network ls``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.each import filters as parse
from composer.cli.listing import show
from composer.cli.units import stamp, unix

COLUMNS = (("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope"))


@click.command()
@click.option("-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Filter by driver, id, label, name, scope, type.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
def ls(filters: tuple[str, ...], form: str, no_trunc: bool, quiet: bool) -> None:
    """List networks."""
    found = app().client.get("/networks", {"filters": parse(filters)})
    rows = [_fields(network, no_trunc) for network in sorted(found, key=lambda one: str(one["Name"]))]
    if quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
    else:
        show(rows, COLUMNS, form)


def _fields(network: dict[str, Any], no_trunc: bool) -> dict[str, Any]:
    return {
        "ID": network["Id"] if no_trunc else network["Id"][:12],
        "Name": network["Name"],
        "Driver": network.get("Driver", ""),
        "Scope": network.get("Scope", ""),
        "IPv4": str(bool(network.get("EnableIPv4", True))).lower(),
        "IPv6": str(bool(network.get("EnableIPv6"))).lower(),
        "Internal": str(bool(network.get("Internal"))).lower(),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted((network.get("Labels") or {}).items())),
        "CreatedAt": stamp(unix(network.get("Created", ""))),
    }
