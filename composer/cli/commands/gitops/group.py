"""``composer gitops``: stacks that follow a git repository; the daemon runs them, these commands tell it and show it."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "add": ("gitops.add:add", "Follow a repository from now on"),
    "ls": ("gitops.ls:ls", "List what is followed"),
    "status": ("gitops.status:status", "Show how a source and its stacks are"),
    "sync": ("gitops.sync:sync", "Look at the repository now, and wait for what comes of it"),
    "suspend": ("gitops.rest:suspend", "Leave a source alone for a while"),
    "resume": ("gitops.rest:resume", "Follow a suspended source again"),
    "history": ("gitops.history:history", "Show what happened to a source"),
    "listen": ("gitops.listen:listen", "Take webhooks at an address of this machine"),
    "rm": ("gitops.rm:rm", "Follow a source no longer"),
}


@click.group(cls=LazyGroup, table=TABLE, aliases={"list": "ls", "remove": "rm"})
def gitops() -> None:
    """Manage stacks that follow a git repository."""
