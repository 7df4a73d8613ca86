"""``composer container inspect, top, stats, port, diff``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.containers import name as name_of
from composer.cli.inspect import inspect as show
from composer.cli.listing import write_table
from composer.cli.usage import watch_usage
from composer.errors import ComposerError

KINDS = "CAD"  # changed, added, deleted


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="CONTAINER...")
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a Go template.")
@click.option("-s", "--size", is_flag=True, help="Show sizes.")
def inspect(names: tuple[str, ...], form: str, size: bool) -> int:
    """Show all about containers."""
    client = app().client
    return show(names, form, lambda name: client.get(f"/containers/{name}/json", {"size": size or None}), "container")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("container")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[ps OPTIONS]")
def top(container: str, options: tuple[str, ...]) -> None:
    """Show the processes of a container."""
    answer = app().client.get(f"/containers/{container}/top", {"ps_args": " ".join(options) or None})
    write_table(answer["Titles"], answer["Processes"])


@click.command()
@click.argument("names", nargs=-1, metavar="[CONTAINER]...")
@click.option("-a", "--all", "all_", is_flag=True, help="Stopped ones, too.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("--no-stream", is_flag=True, help="Only once.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
def stats(names: tuple[str, ...], all_: bool, form: str, no_stream: bool, no_trunc: bool) -> None:
    """Show what containers use, live."""
    client = app().client
    if names:
        rows = [{"Id": about["Id"], "Names": [about["Name"]]} for about in (client.get(f"/containers/{one}/json") for one in names)]
    else:
        rows = client.get("/containers/json", {"all": all_})
    watch_usage(client, [(row["Id"], name_of(row)) for row in rows], form, stream=not no_stream, no_trunc=no_trunc)


@click.command()
@click.argument("container")
@click.argument("private", required=False, metavar="[PORT[/PROTOCOL]]")
def port(container: str, private: str | None) -> None:
    """List a container's published ports."""
    ports = app().client.get(f"/containers/{container}/json")["NetworkSettings"].get("Ports") or {}
    if private is None:
        for inside in sorted(ports, key=lambda text: (int(text.partition("/")[0]), text)):
            for binding in ports[inside] or ():
                sys.stdout.write(f"{inside} -> {address(binding['HostIp'], binding['HostPort'])}\n")
        return
    wanted = private if "/" in private else f"{private}/tcp"
    if not ports.get(wanted):
        raise ComposerError(f"no public port '{wanted}' published for {container}")
    for binding in ports[wanted]:
        sys.stdout.write(address(binding["HostIp"], binding["HostPort"]) + "\n")


def address(ip: str, port: str) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


@click.command()
@click.argument("container")
def diff(container: str) -> None:
    """Show what a container changed in its file system."""
    for change in app().client.get(f"/containers/{container}/changes") or ():
        sys.stdout.write(f"{KINDS[change['Kind']]} {change['Path']}\n")
