"""``composer ps``: the stack's containers, with docker compose's columns and JSON fields."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import App, app
from composer.cli.containers import ONEOFF, PROJECT, SERVICE, Summary, exit_code, health, label, name, of_project, ports
from composer.cli.listing import show
from composer.cli.options import files, isolated, services
from composer.cli.resolve import resolve
from composer.cli.units import since, stamp

COLUMNS = (
    ("NAME", "Name"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("SERVICE", "Service"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
)
STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")


@click.command()
@files
@isolated(makes=False)
@services
@click.option("-a", "--all", "all_", is_flag=True, help="Show all stopped containers, those of `run` too.")
@click.option("--filter", "filters", multiple=True, metavar="status=STATE", help="Filter services by a property.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
@click.option("--orphans/--no-orphans", default=None, help="Include services that the stack file does not have (default).")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("--services", "list_services", is_flag=True, help="Only the services' names.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATES), help="Filter by status (can be repeated).")
def ps(
    services: tuple[str, ...],
    all_: bool,
    filters: tuple[str, ...],
    form: str,
    no_trunc: bool,
    orphans: bool | None,
    quiet: bool,
    list_services: bool,
    statuses: tuple[str, ...],
) -> None:
    """List containers."""
    rows = _found(app(), services, all_, orphans is not False, _statuses(filters, statuses))
    if quiet:
        sys.stdout.write("".join(row["Id"] + "\n" for row in rows))
    elif list_services:
        sys.stdout.write("".join(service + "\n" for service in dict.fromkeys(label(row, SERVICE) for row in rows)))
    else:
        show([fields(row, no_trunc) for row in rows], COLUMNS, form)


def _statuses(filters: tuple[str, ...], statuses: tuple[str, ...]) -> set[str]:
    found = set(statuses)
    for text in filters:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError("arguments to --filter should be in form KEY=VAL")
        if key == "source":
            raise click.UsageError("filtering by source is not supported")
        if key != "status":
            raise click.UsageError(f"unknown filter {key}")
        found.add(value)
    return found


def _found(application: App, services: tuple[str, ...], all_: bool, orphans: bool, statuses: set[str]) -> list[Summary]:
    stack = resolve(application, services)
    wanted = services if services or orphans or stack.services is None else tuple(stack.services)
    rows = of_project(application.client, stack.name, all=all_ or bool(statuses), oneoff=all_, services=wanted)
    return [row for row in rows if not statuses or row.get("State") in statuses]


def fields(row: Summary, no_trunc: bool) -> dict[str, Any]:
    """A container as docker compose's ``ps --format json`` has it."""
    command = str(row.get("Command", ""))
    command = command if no_trunc or len(command) <= 20 else command[:19] + "…"
    networks = (row.get("NetworkSettings") or {}).get("Networks") or {}
    mounts = row.get("Mounts") or ()
    sources = [mount.get("Name") or mount.get("Source") or "" for mount in mounts]
    return {
        "ID": row["Id"] if no_trunc else row["Id"][:12],
        "Name": name(row),
        "Names": name(row),
        "Image": row.get("Image", ""),
        "Command": f'"{command}"',
        "Project": label(row, PROJECT),
        "Service": label(row, SERVICE),
        "CreatedAt": stamp(row.get("Created", 0)),
        "RunningFor": since(row.get("Created", 0)),
        "Status": row.get("Status", ""),
        "State": row.get("State", ""),
        "Health": health(row),
        "ExitCode": exit_code(row),
        "Publishers": _publishers(row),
        "Ports": ports(row),
        "Labels": ",".join(f"{key}={value}" for key, value in sorted((row.get("Labels") or {}).items())),
        "Networks": ",".join(sorted(networks)),
        "Mounts": ",".join(source if no_trunc or len(source) <= 15 else source[:14] + "…" for source in sources),
        "LocalVolumes": str(sum(mount.get("Type") == "volume" for mount in mounts)),
        "Size": "0B",
    }


def _publishers(row: Summary) -> list[dict[str, Any]]:
    found = [
        {
            "URL": p.get("IP") or "",
            "TargetPort": p["PrivatePort"],
            "PublishedPort": p.get("PublicPort") or 0,
            "Protocol": p.get("Type") or "tcp",
        }
        for p in row.get("Ports") or ()
    ]
    return sorted(found, key=lambda p: (p["TargetPort"], p["Protocol"], p["URL"]))


__all__ = ["ONEOFF", "fields", "ps"]
