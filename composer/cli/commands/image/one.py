"""``composer image tag, rm, inspect, prune``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.client import quote
from composer.cli.each import each
from composer.cli.each import filters as parse
from composer.cli.inspect import inspect as show
from composer.cli.registry import split
from composer.cli.units import decimal


@click.command()
@click.argument("source")
@click.argument("target")
def tag(source: str, target: str) -> None:
    """Give an image another name."""
    repository, name = split(target)
    app().client.post(f"/images/{quote(source)}/tag", query={"repo": repository, "tag": name})


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option("-f", "--force", is_flag=True, help="Remove it although it is used by stopped containers.")
@click.option("--no-prune", is_flag=True, help="Keep untagged parents.")
@click.option("--platform", default=None, hidden=True)
def rm(names: tuple[str, ...], force: bool, no_prune: bool, platform: str | None) -> int:
    """Remove images."""
    application = app()

    def remove(name: str) -> str:
        done = application.client.delete(f"/images/{quote(name)}", {"force": force, "noprune": no_prune})
        return "\n".join(f"Untagged: {one['Untagged']}" if one.get("Untagged") else f"Deleted: {one['Deleted']}" for one in done or ())

    return each(application, names, remove)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a Go template.")
@click.option("--platform", default=None, hidden=True)
def inspect(names: tuple[str, ...], form: str, platform: str | None) -> int:
    """Show all about images."""
    client = app().client
    return show(names, form, lambda name: client.get(f"/images/{quote(name)}/json"), "image")


@click.command()
@click.option("-a", "--all", "all_", is_flag=True, help="All that no container uses, not only dangling ones.")
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE", help="until=TIME, label=...")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def prune(all_: bool, filters: tuple[str, ...], force: bool) -> None:
    """Remove unused images."""
    what = "all images without at least one container associated to them" if all_ else "all dangling images"
    if not force and not click.confirm(f"WARNING! This will remove {what}.\nAre you sure you want to continue?"):
        return
    wanted = {**(parse(filters) or {}), "dangling": ["0" if all_ else "1"]}
    done = app().client.post("/images/prune", query={"filters": wanted})
    deleted = done.get("ImagesDeleted") or ()
    if deleted:
        sys.stdout.write("Deleted Images:\n")
    for one in deleted:
        sys.stdout.write(f"untagged: {one['Untagged']}\n" if one.get("Untagged") else f"deleted: {one['Deleted']}\n")
    sys.stdout.write(("\n" if deleted else "") + f"Total reclaimed space: {decimal(done.get('SpaceReclaimed', 0))}\n")
