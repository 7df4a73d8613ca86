"""``composer volume``: data that outlives containers."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "ls": ("volume.ls:ls", "List volumes"),
    "create": ("volume.one:create", "Create a volume"),
    "inspect": ("volume.one:inspect", "Show all about volumes"),
    "rm": ("volume.one:rm", "Remove volumes"),
    "prune": ("volume.one:prune", "Remove unused volumes"),
}


@click.group(cls=LazyGroup, table=TABLE, aliases={"list": "ls", "remove": "rm"})
def volume() -> None:
    """Manage volumes."""
