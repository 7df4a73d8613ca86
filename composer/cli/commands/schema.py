"""``composer schema``: the JSON schema of stack files, for editors (it is the Compose Specification's)."""

from __future__ import annotations

import sys

import click


@click.command()
def schema() -> None:
    """Print the JSON schema of stack files."""
    from importlib.resources import files

    sys.stdout.write((files("composer.spec") / "compose-spec.json").read_text())
