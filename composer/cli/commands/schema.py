"""``composer schema``: the JSON Schema of stack files, for editors: the Compose Specification's, and composer's extensions."""

from __future__ import annotations

import sys

import click


@click.command()
def schema() -> None:
    """Print the JSON schema of stack files."""
    import json

    from composer.spec.editor import editor_schema

    sys.stdout.write(json.dumps(editor_schema(), indent=2) + "\n")
