"""``composer top``: the processes of the stack's containers."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.containers import NUMBER, SERVICE, label, of_project
from composer.cli.listing import write_table
from composer.cli.options import files, services
from composer.cli.resolve import resolve


@click.command()
@files
@services
def top(services: tuple[str, ...]) -> None:
    """Display the running processes."""
    application = app()
    stack = resolve(application, services)
    heading: list[str] = []
    lines: list[list[str]] = []
    for row in of_project(application.client, stack.name, services=services):
        answer = application.client.get(f"/containers/{row['Id']}/top")
        heading = heading or ["SERVICE", "#", *answer["Titles"]]
        lines.extend([label(row, SERVICE), label(row, NUMBER), *process] for process in answer["Processes"])
    if heading:
        write_table(heading, lines)
