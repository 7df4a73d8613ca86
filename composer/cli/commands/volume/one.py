"""``composer volume create, inspect, rm, prune``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.client import quote
from composer.cli.each import each, key_values
from composer.cli.each import filters as parse
from composer.cli.inspect import inspect as show
from composer.cli.units import decimal


@click.command()
@click.option("-d", "--driver", default="local", metavar="NAME", help="The driver (local).")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Set a label.")
@click.option("-o", "--opt", "options", multiple=True, metavar="KEY=VALUE", help="A driver's option: type, o, device.")
@click.argument("name", required=False, default="")
def create(name: str, driver: str, labels: tuple[str, ...], options: tuple[str, ...]) -> None:
    """Create a volume."""
    body = {"Name": name, "Driver": driver, "Labels": key_values(labels), "DriverOpts": key_values(options)}
    sys.stdout.write(app().client.post("/volumes/create", body)["Name"] + "\n")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="VOLUME...")
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a Go template.")
def inspect(names: tuple[str, ...], form: str) -> int:
    """Show all about volumes."""
    client = app().client
    return show(names, form, lambda name: client.get(f"/volumes/{quote(name)}"), "volume")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="VOLUME...")
@click.option("-f", "--force", is_flag=True, help="No error for one that is not there.")
def rm(names: tuple[str, ...], force: bool) -> int:
    """Remove volumes."""
    application = app()

    def one(name: str) -> None:
        application.client.delete(f"/volumes/{quote(name)}", {"force": force})

    return each(application, names, one)


@click.command()
@click.option("-a", "--all", "all_", is_flag=True, help="Named ones, too, not only anonymous.")
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE", help="label=...")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def prune(all_: bool, filters: tuple[str, ...], force: bool) -> None:
    """Remove unused volumes."""
    what = "all volumes not used by at least one container" if all_ else "anonymous local volumes not used by at least one container"
    if not force and not click.confirm(f"WARNING! This will remove {what}.\nAre you sure you want to continue?"):
        return
    wanted = {**(parse(filters) or {}), **({"all": ["true"]} if all_ else {})}
    done = app().client.post("/volumes/prune", query={"filters": wanted or None})
    deleted = done.get("VolumesDeleted") or ()
    if deleted:
        sys.stdout.write("Deleted Volumes:\n" + "".join(f"{one}\n" for one in deleted) + "\n")
    sys.stdout.write(f"Total reclaimed space: {decimal(done.get('SpaceReclaimed', 0))}\n")
