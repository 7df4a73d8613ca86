"""``composer version``."""

from __future__ import annotations

import sys

import click

from composer.cli.listing import dump


def number() -> str:
    """The installed version; importlib.metadata costs 60 ms, hence only here."""
    from importlib.metadata import version as installed

    return installed("composer")


def text() -> str:
    return f"composer version v{number()}"


@click.command()
@click.option("-f", "--format", "form", type=click.Choice(["pretty", "json"]), default="pretty", help="How to print it.")
@click.option("--short", is_flag=True, help="Only the number.")
def version(form: str, short: bool) -> None:
    """Show composer's version."""
    if short:
        sys.stdout.write(number() + "\n")
    else:
        sys.stdout.write((dump({"version": f"v{number()}"}) if form == "json" else text()) + "\n")
