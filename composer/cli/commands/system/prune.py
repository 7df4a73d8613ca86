"""``composer system prune``: stopped containers, unused networks, dangling images; with flags all images, and volumes."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.each import filters as parse
from composer.cli.units import decimal


@click.command()
@click.option("-a", "--all", "all_", is_flag=True, help="All images that no container uses, not only dangling ones.")
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE", help="until=TIME, label=...")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--volumes", is_flag=True, help="Anonymous volumes, too.")
def prune(all_: bool, filters: tuple[str, ...], force: bool, volumes: bool) -> None:
    """Remove all that is unused."""
    what = ["all stopped containers", "all networks not used by at least one container"]
    what += ["all anonymous volumes not used by at least one container"] if volumes else []
    what += ["all images without at least one container associated to them" if all_ else "all dangling images", "unused build cache"]
    question = "WARNING! This will remove:\n" + "".join(f"  - {one}\n" for one in what) + "\nAre you sure you want to continue?"
    if not force and not click.confirm(question):
        return
    client, wanted, freed = app().client, parse(filters), 0
    for kind, query in (
        ("containers", wanted),
        ("networks", wanted),
        *([("volumes", wanted)] if volumes else []),
        ("images", {**(wanted or {}), "dangling": ["0" if all_ else "1"]}),
    ):
        done = client.post(f"/{kind}/prune", query={"filters": query})
        freed += done.get("SpaceReclaimed", 0)
        _tell(kind, [_name(one) for one in done.get(f"{kind.capitalize()}Deleted") or ()])
    freed += (client.post("/build/prune", query={"all": all_ or None}) or {}).get("SpaceReclaimed", 0)
    sys.stdout.write(f"Total reclaimed space: {decimal(freed)}\n")


def _name(one: str | dict[str, str]) -> str:
    if isinstance(one, str):
        return one
    return f"untagged: {one['Untagged']}" if one.get("Untagged") else f"deleted: {one.get('Deleted', '')}"


def _tell(kind: str, names: list[str]) -> None:
    if names:
        sys.stdout.write(f"Deleted {kind.capitalize()}:\n" + "".join(f"{name}\n" for name in names) + "\n")
