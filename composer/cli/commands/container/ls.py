"""``composer container ls``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.containers import Summary, health, name, ports
from composer.cli.each import filters as parse
from composer.cli.listing import show
from composer.cli.units import decimal, since, stamp

COLUMNS = (
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
)


@click.command()
@click.option("-a", "--all", "all_", is_flag=True, help="Stopped ones, too.")
@click.option("-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Filter by status, label, name, network, volume ...")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("-n", "--last", type=int, default=-1, metavar="N", help="The last N created, whatever their state.")
@click.option("-l", "--latest", is_flag=True, help="The latest created.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("-s", "--size", is_flag=True, help="Show sizes.")
def ls(all_: bool, filters: tuple[str, ...], form: str, last: int, latest: bool, no_trunc: bool, quiet: bool, size: bool) -> None:
    """List containers."""
    limit = 1 if latest else last
    query = {"all": all_ or limit > 0, "limit": limit if limit > 0 else None, "size": size or None, "filters": parse(filters)}
    rows = app().client.get("/containers/json", query)
    if quiet:
        sys.stdout.write("".join((row["Id"] if no_trunc else row["Id"][:12]) + "\n" for row in rows))
    else:
        show([fields(row, no_trunc) for row in rows], (*COLUMNS, ("SIZE", "Size")) if size else COLUMNS, form)


def fields(row: Summary, no_trunc: bool) -> dict[str, Any]:
    """A container as docker's ``ps --format json`` has it."""
    command, mounts = str(row.get("Command", "")), row.get("Mounts") or ()
    command = command if no_trunc or len(command) <= 20 else command[:19] + "…"
    sources = [mount.get("Name") or mount.get("Source") or "" for mount in mounts]
    small, whole = row.get("SizeRw") or 0, row.get("SizeRootFs") or 0
    return {
        "ID": row["Id"] if no_trunc else row["Id"][:12],
        "Image": row.get("Image", ""),
        "Command": f'"{command}"',
        "CreatedAt": stamp(row.get("Created", 0)),
        "RunningFor": since(row.get("Created", 0)),
        "Status": row.get("Status", ""),
        "State": row.get("State", ""),
        "HealthStatus": health(row),
        "Ports": ports(row),
        "Names": name(row),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted((row.get("Labels") or {}).items())),
        "LabelMap": row.get("Labels") or {},
        "Mounts": ",".join(source if no_trunc or len(source) <= 15 else source[:14] + "…" for source in sources),
        "LocalVolumes": str(sum(mount.get("Type") == "volume" for mount in mounts)),
        "Networks": ",".join(sorted((row.get("NetworkSettings") or {}).get("Networks") or {})),
        "Size": decimal(small) + (f" (virtual {decimal(whole)})" if whole else ""),
    }
