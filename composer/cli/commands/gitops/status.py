"""``composer gitops status``."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.commands.gitops.show import show_status


@click.command()
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def status(name: str | None, form: str) -> None:
    """Show how a source and its stacks are; all of them without a NAME."""
    client = app().client
    found = [client.post("/composer/v1/gitops/status", {"name": name})] if name else client.post("/composer/v1/gitops/ls")
    for one in found:
        show_status(one, form)
    if not found and form == "text":
        click.echo("nothing is followed; begin with: composer gitops add NAME --repo URL", err=True)
