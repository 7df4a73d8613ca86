"""One operation on each of several objects: what succeeds is printed, what fails is told, and the rest goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from composer.cli.app import App
from composer.errors import EXIT_FAILED, ComposerError


def each(app: App, refs: Sequence[str], operation: Callable[[str], str | None]) -> int:
    """``operation`` answers what to print (None: the reference itself, "": nothing). The exit code: 1 when one failed."""
    from composer.cli.stack import show_error

    code = 0
    for ref in refs:
        try:
            said = operation(ref)
        except ComposerError as error:
            sys.stdout.flush()
            show_error(app, error)
            code = EXIT_FAILED
        else:
            text = ref if said is None else said
            if text:
                sys.stdout.write(text + "\n")
    return code


def key_values(pairs: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` pairs; a key alone has the value ""."""
    return {pair.partition("=")[0]: pair.partition("=")[2] for pair in pairs}


def filters(pairs: Sequence[str]) -> dict[str, list[str]] | None:
    """--filter KEY=VALUE, as the API takes them."""
    import click

    found: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"invalid argument {pair!r} for --filter: bad format of filter (expected name=value)")
        found.setdefault(key.strip(), []).append(value.strip())
    return found or None
