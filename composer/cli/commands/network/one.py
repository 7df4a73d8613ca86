"""``composer network inspect, rm, connect, disconnect, prune``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.client import quote
from composer.cli.each import each, key_values
from composer.cli.each import filters as parse
from composer.cli.inspect import inspect as show


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...")
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a Go template.")
@click.option("-v", "--verbose", is_flag=True, hidden=True)
def inspect(names: tuple[str, ...], form: str, verbose: bool) -> int:
    """Show all about networks."""
    client = app().client
    return show(names, form, lambda name: client.get(f"/networks/{quote(name)}"), "network")


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NETWORK...")
@click.option("-f", "--force", is_flag=True, help="No error for one that is not there.")
def rm(names: tuple[str, ...], force: bool) -> int:
    """Remove networks."""
    application = app()

    def one(name: str) -> str | None:
        from composer.cli.client import ApiError

        try:
            application.client.delete(f"/networks/{quote(name)}")
        except ApiError as error:
            if not force or error.status != 404:
                raise
            return ""
        return None

    return each(application, names, one)


@click.command()
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="Another name on the network.")
@click.option("--driver-opt", "options", multiple=True, metavar="KEY=VALUE", help="A driver's option.")
@click.option("--gw-priority", type=int, default=0, metavar="N", help="The highest gives the default gateway.")
@click.option("--ip", default="", metavar="IP", help="IPv4 address.")
@click.option("--ip6", default="", metavar="IP", help="IPv6 address.")
@click.option("--link", "links", multiple=True, metavar="CONTAINER[:ALIAS]", help="Link to another container.")
@click.argument("network")
@click.argument("container")
def connect(
    network: str,
    container: str,
    aliases: tuple[str, ...],
    options: tuple[str, ...],
    gw_priority: int,
    ip: str,
    ip6: str,
    links: tuple[str, ...],
) -> None:
    """Connect a container to a network."""
    endpoint = {
        "Aliases": list(aliases) or None,
        "DriverOpts": key_values(options) or None,
        "GwPriority": gw_priority,
        "IPAMConfig": {"IPv4Address": ip, "IPv6Address": ip6} if ip or ip6 else None,
        "Links": list(links) or None,
    }
    app().client.post(f"/networks/{quote(network)}/connect", {"Container": container, "EndpointConfig": endpoint})


@click.command()
@click.option("-f", "--force", is_flag=True, help="Although it is gone already.")
@click.argument("network")
@click.argument("container")
def disconnect(network: str, container: str, force: bool) -> None:
    """Disconnect a container from a network."""
    app().client.post(f"/networks/{quote(network)}/disconnect", {"Container": container, "Force": force})


@click.command()
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE", help="until=TIME, label=...")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
def prune(filters: tuple[str, ...], force: bool) -> None:
    """Remove unused networks."""
    what = "all custom networks not used by at least one container"
    if not force and not click.confirm(f"WARNING! This will remove {what}.\nAre you sure you want to continue?"):
        return
    done = app().client.post("/networks/prune", query={"filters": parse(filters)})
    deleted = done.get("NetworksDeleted") or ()
    if deleted:
        sys.stdout.write("Deleted Networks:\n" + "".join(f"{one}\n" for one in deleted) + "\n")
