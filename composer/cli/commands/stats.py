"""``composer stats``: what the stack's containers use."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.containers import name, of_project
from composer.cli.options import files
from composer.cli.resolve import resolve
from composer.cli.usage import watch_usage
from composer.errors import ComposerError


@click.command()
@files
@click.argument("service", required=False)
@click.option("-a", "--all", "all_", is_flag=True, help="Stopped ones, too.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("--no-stream", is_flag=True, help="Only once.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
def stats(service: str | None, all_: bool, form: str, no_stream: bool, no_trunc: bool) -> None:
    """Display a live stream of container(s) resource usage statistics."""
    application = app()
    wanted = [service] if service else []
    stack = resolve(application, wanted)
    rows = of_project(application.client, stack.name, all=all_, services=wanted)
    if service and not rows:
        raise ComposerError(f'service "{service}" is not running')
    watch_usage(application.client, [(row["Id"], name(row)) for row in rows], form, stream=not no_stream, no_trunc=no_trunc)
