"""``composer network``: networks of containers."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "ls": ("network.ls:ls", "List networks"),
    "create": ("network.create:create", "Create a network"),
    "inspect": ("network.one:inspect", "Show all about networks"),
    "rm": ("network.one:rm", "Remove networks"),
    "connect": ("network.one:connect", "Connect a container to a network"),
    "disconnect": ("network.one:disconnect", "Disconnect a container from a network"),
    "prune": ("network.one:prune", "Remove unused networks"),
}


@click.group(cls=LazyGroup, table=TABLE, aliases={"list": "ls", "remove": "rm"})
def network() -> None:
    """Manage networks."""
