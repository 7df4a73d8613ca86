"""``composer volumes``: the stack's volumes."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.commands.volume.ls import COLUMNS, fields
from composer.cli.containers import PROJECT, of_project
from composer.cli.listing import show
from composer.cli.options import files, services
from composer.cli.resolve import resolve


@click.command()
@files
@services
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names.")
def volumes(services: tuple[str, ...], form: str, quiet: bool) -> None:
    """List volumes."""
    application = app()
    stack = resolve(application, services)
    found = application.client.get("/volumes", {"filters": {"label": [f"{PROJECT}={stack.name}"]}})["Volumes"] or []
    if services:
        rows = of_project(application.client, stack.name, all=True, services=services)
        used = {mount.get("Name") for row in rows for mount in row.get("Mounts") or ()}
        found = [volume for volume in found if volume["Name"] in used]
    if quiet:
        sys.stdout.write("".join(f"{volume['Name']}\n" for volume in found))
    else:
        show([fields(volume) for volume in found], COLUMNS, form)
