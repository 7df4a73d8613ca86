"""``inspect`` of any kind of object: JSON as docker prints it, or a template; missing ones are told, and the exit code is 1."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from composer.cli.client import ApiError
from composer.errors import EXIT_FAILED

NOT_FOUND = 404


def inspect(refs: Sequence[str], form: str, get: Callable[[str], Any], kind: str) -> int:
    """The exit code. ``get`` asks for one object by its name or id; ``kind`` is the word for it in messages."""
    found: list[Any] = []
    errors: list[str] = []
    for ref in refs:
        try:
            found.append(get(ref))
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            errors.append(f"Error: {error.message}" if error.message else f"Error: No such {kind}: {ref}")
    if not form or form == "json":
        text = json.dumps(found, indent=4 if not form else None, ensure_ascii=False, separators=None if not form else (",", ":"))
        sys.stdout.write(text + "\n")
    else:
        from composer.cli.template import Template

        template = Template(form)
        sys.stdout.write("".join(template.render(one) + "\n" for one in found))
    for text in errors:
        click.echo(text, err=True)
    return EXIT_FAILED if errors else 0
