"""``composer image``: the engine's images."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "ls": ("image.ls:ls", "List images"),
    "pull": ("image.transfer:pull", "Download an image from a registry"),
    "push": ("image.transfer:push", "Upload an image to a registry"),
    "load": ("image.archive:load", "Load images from a tar (docker-archive or OCI layout)"),
    "save": ("image.archive:save", "Save images to a tar"),
    "import": ("image.archive:import_", "Make an image of a root file system's tar"),
    "bootstrap": ("image.bootstrap:bootstrap", "Make a base image from the distribution's package mirror"),
    "build": ("image.build:build", "Build an image from a Dockerfile"),
    "tag": ("image.one:tag", "Give an image another name"),
    "rm": ("image.one:rm", "Remove images"),
    "inspect": ("image.one:inspect", "Show all about images"),
    "history": ("image.history:history", "Show an image's layers"),
    "prune": ("image.one:prune", "Remove unused images"),
}


@click.group(cls=LazyGroup, table=TABLE, aliases={"list": "ls", "remove": "rm"})
def image() -> None:
    """Manage images."""
