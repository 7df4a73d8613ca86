"""``composer container stop, restart, kill, rm, pause, unpause, wait, rename, prune``: one call for each container that is named."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.each import each
from composer.cli.each import filters as parse
from composer.cli.units import decimal

names = click.argument("names", nargs=-1, required=True, metavar="CONTAINER...")
seconds = click.option(
    "-t", "--timeout", "--time", "timeout", type=int, default=None, metavar="SECONDS", help="Seconds until it is killed."
)
signal_ = click.option("-s", "--signal", default=None, metavar="SIGNAL", help="The signal to send.")


def _post(refs: tuple[str, ...], verb: str, query: dict[str, Any] | None = None) -> int:
    application = app()

    def one(ref: str) -> None:
        application.client.post(f"/containers/{ref}/{verb}", query=query)

    return each(application, refs, one)


@click.command()
@names
@seconds
@signal_
def stop(names: tuple[str, ...], timeout: int | None, signal: str | None) -> int:
    """Stop running containers."""
    return _post(names, "stop", {"t": timeout, "signal": signal})


@click.command()
@names
@seconds
@signal_
def restart(names: tuple[str, ...], timeout: int | None, signal: str | None) -> int:
    """Restart containers."""
    return _post(names, "restart", {"t": timeout, "signal": signal})


@click.command()
@names
@signal_
def kill(names: tuple[str, ...], signal: str | None) -> int:
    """Kill running containers."""
    return _post(names, "kill", {"signal": signal or "SIGKILL"})


@click.command()
@names
def pause(names: tuple[str, ...]) -> int:
    """Pause all processes of containers."""
    return _post(names, "pause")


@click.command()
@names
def unpause(names: tuple[str, ...]) -> int:
    """Unpause containers."""
    return _post(names, "unpause")


@click.command()
@names
@click.option("-f", "--force", is_flag=True, help="Kill it first.")
@click.option("-v", "--volumes", is_flag=True, help="Remove its anonymous volumes, too.")
@click.option("-l", "--link", is_flag=True, hidden=True)
def rm(names: tuple[str, ...], force: bool, volumes: bool, link: bool) -> int:
    """Remove containers."""
    application = app()
    query = {"force": force, "v": volumes, "link": link or None}

    def one(ref: str) -> None:
        application.client.delete(f"/containers/{ref}", query)

    return each(application, names, one)


@click.command()
@names
def wait(names: tuple[str, ...]) -> int:
    """Wait until containers stop, and print their exit codes."""
    application = app()
    return each(application, names, lambda ref: str(application.client.post(f"/containers/{ref}/wait")["StatusCode"]))


@click.command()
@click.argument("name", metavar="CONTAINER")
@click.argument("new", metavar="NEW_NAME")
def rename(name: str, new: str) -> None:
    """Rename a container."""
    app().client.post(f"/containers/{name}/rename", query={"name": new})


@click.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--filter", "filters", multiple=True, metavar="KEY=VALUE", help="until=TIME, label=...")
def prune(force: bool, filters: tuple[str, ...]) -> None:
    """Remove all stopped containers."""
    if not force and not click.confirm("WARNING! This will remove all stopped containers.\nAre you sure you want to continue?"):
        return
    done = app().client.post("/containers/prune", query={"filters": parse(filters)})
    deleted = done.get("ContainersDeleted") or ()
    if deleted:
        sys.stdout.write("Deleted Containers:\n" + "".join(f"{one}\n" for one in deleted) + "\n")
    sys.stdout.write(f"Total reclaimed space: {decimal(done.get('SpaceReclaimed', 0))}\n")
