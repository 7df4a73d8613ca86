"""``composer watch``: the stack is brought up, and then follows the developer's files and its own."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.options import files, isolated, services
from composer.cli.stack import run


@click.command()
@files
@isolated(makes=True)
@services
@click.option("--no-up", is_flag=True, help="Do not build and start services before watching.")
@click.option("--prune/--no-prune", default=True, help="Remove the images that a rebuild leaves behind (default).")
@click.option("--quiet", is_flag=True, help="Hide the output of builds.")
def watch(services: tuple[str, ...], no_up: bool, prune: bool, quiet: bool) -> int:
    """Sync, rebuild or restart services when their files change, and apply changes of the stack's files at once."""
    application = app()
    options = {"services": list(services)}
    if not no_up:
        run(application, "up", {**options, "build": True}, without=("Build",) if quiet else ())
    from composer.cli.dev.dev import Dev
    from composer.cli.dev.dev import watch as until_ended

    return until_ended(Dev(application, options, services, quiet=quiet, prune=prune))
