"""Options that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from composer.cli.app import App

F = TypeVar("F", bound=Callable[..., Any])


def asked(variable: str) -> bool:
    """Does this variable of the environment say yes?"""
    return os.environ.get(variable, "").lower() in ("1", "t", "true", "y", "yes", "on")


def _add_files(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    if value:
        app = ctx.find_object(App)
        assert app is not None
        app.files.extend(value)


def files(function: F) -> F:
    """-f/--file behind the command, too, where -f has no other meaning."""
    return click.option("-f", "--file", multiple=True, metavar="FILE", expose_value=False, callback=_add_files, help="Stack file.")(
        function
    )


def _dry(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        app = ctx.find_object(App)
        assert app is not None
        app.dry_run = True


def dry_run(function: F) -> F:
    return click.option("--dry-run", is_flag=True, expose_value=False, callback=_dry, help="Show what would be done, and do nothing.")(
        function
    )


def isolated(*, makes: bool) -> Callable[[F], F]:
    """--isolated[=NAME]: the stack of this checkout beside others of the same files. ``makes``: the command makes it when it is missing."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            app = ctx.find_object(App)
            assert app is not None
            app.isolated, app.isolates = value, makes

    return click.option(
        "--isolated",
        is_flag=False,
        flag_value="",
        default=None,
        metavar="[NAME]",
        expose_value=False,
        callback=callback,
        help="A stack of this checkout alone: its own names, volumes and host ports (NAME: the git worktree's or branch's).",
    )


def services(function: F) -> F:
    return click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=_complete_service)(function)


def _complete_service(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the services of the stack file at hand."""
    from composer.cli.complete import services as known

    return [name for name in known(ctx) if name.startswith(incomplete)]


def timeout(function: F) -> F:
    return click.option("-t", "--timeout", type=int, default=None, metavar="SECONDS", help="Seconds to wait before a container is killed.")(
        function
    )


def refuse(name: str, reason: str) -> Callable[[F], F]:
    """A flag of docker compose that is refused by name instead of being unknown."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            raise click.UsageError(f"{name} is not supported: {reason}", ctx)

    return click.option(name, is_flag=True, expose_value=False, hidden=True, callback=callback)


def formats(function: F) -> F:
    return click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")(function)


def scales(pairs: tuple[str, ...]) -> dict[str, int]:
    """``SERVICE=N`` pairs."""
    found = {}
    for pair in pairs:
        service, equals, number = pair.partition("=")
        if not equals or not service or not number.isdigit():
            raise click.UsageError(f"invalid --scale option {pair!r}. Should be SERVICE=NUM")
        found[service] = int(number)
    return found
