"""``composer system``: the engine as a whole."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "df": ("system.df:df", "Show disk usage"),
    "info": ("system.info:info", "Show what the engine is"),
    "prune": ("system.prune:prune", "Remove all that is unused"),
    "events": ("system.events:events", "Show the engine's events, live"),
}


@click.group(cls=LazyGroup, table=TABLE)
def system() -> None:
    """Look at the engine as a whole."""
