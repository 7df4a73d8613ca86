"""``composer commit`` and ``export``: a service's container as an image or as a tar."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.commands.container.files import commit_to, export_to
from composer.cli.options import files
from composer.cli.resolve import container_of, resolve

index_ = click.option("--index", type=int, default=0, metavar="N", help="Number of the container, if the service has several.")


@click.command()
@files
@index_
@click.option("-a", "--author", default=None, metavar="NAME", help="The author.")
@click.option("-c", "--change", "changes", multiple=True, metavar="INSTRUCTION", help="Apply a Dockerfile instruction.")
@click.option("-m", "--message", default=None, help="Commit message.")
@click.option("-p", "--pause/--no-pause", default=True, help="Pause the container meanwhile.")
@click.argument("service")
@click.argument("name", required=False, default="", metavar="[REPOSITORY[:TAG]]")
def commit(service: str, name: str, index: int, author: str | None, changes: tuple[str, ...], message: str | None, pause: bool) -> None:
    """Make an image of a service container's changes."""
    commit_to(_container(service, index), name, author, changes, message, pause)


@click.command()
@files
@index_
@click.option("-o", "--output", default=None, metavar="FILE", help="Write to this file instead of stdout.")
@click.argument("service")
def export(service: str, index: int, output: str | None) -> None:
    """Write a service container's file system as a tar."""
    export_to(_container(service, index), output)


def _container(service: str, index: int) -> str:
    application = app()
    stack = resolve(application)
    return str(container_of(application.client, stack, service, index, all=True)["Id"])
