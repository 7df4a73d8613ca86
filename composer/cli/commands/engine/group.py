"""``composer engine``: the daemon."""

from __future__ import annotations

import click

from composer.cli.lazy import LazyGroup

TABLE = {
    "serve": ("engine.serve:serve", "Run the daemon in the foreground"),
    "start": ("engine.control:start", "Start the daemon, if it does not run"),
    "stop": ("engine.control:stop", "Stop the daemon; containers go on"),
    "status": ("engine.control:status", "Show whether it runs, and what it is"),
    "logs": ("engine.control:logs", "Show the daemon's log"),
    "install": ("engine.install:install", "Install and start it as a systemd service"),
    "uninstall": ("engine.install:uninstall", "Remove the systemd service"),
}


@click.group(cls=LazyGroup, table=TABLE)
def engine() -> None:
    """The engine's daemon."""
