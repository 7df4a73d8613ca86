"""``composer image pull`` and ``push``: registries."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.client import quote
from composer.cli.jsonstream import follow
from composer.cli.registry import auth_header, split


@click.command()
@click.argument("name")
@click.option("--platform", default=None, metavar="OS/ARCH", help="The platform, when the registry has several.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def pull(name: str, platform: str | None, quiet: bool) -> None:
    """Download an image from a registry."""
    application = app()
    repository, tag = split(name)
    query = {"fromImage": repository, "tag": tag, "platform": platform}
    follow(application.client.stream("POST", "/images/create", query, headers=auth_header(repository)), application.console, quiet=quiet)
    if quiet:
        sys.stdout.write(name + "\n")


@click.command()
@click.argument("name")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def push(name: str, quiet: bool) -> None:
    """Upload an image to a registry."""
    application = app()
    repository, tag = split(name)
    reply = application.client.stream("POST", f"/images/{quote(repository)}/push", {"tag": tag}, headers=auth_header(repository))
    follow(reply, application.console, quiet=quiet)
