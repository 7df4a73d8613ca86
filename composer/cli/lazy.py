"""Groups whose commands are imported when they are called: ``--help`` of a group imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from composer.cli.flags import without_values

Table = Mapping[str, tuple[str, str]]  # name -> ("module:function", one line of help)


class LazyGroup(click.Group):
    """``table``: its commands. ``aliases``: other names of them, not listed. ``refused``: names that are refused, with the reason."""

    def __init__(
        self, *args: Any, table: Table, aliases: Mapping[str, str] | None = None, refused: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        self.aliases = aliases or {}
        self.refused = refused or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self.table.get(self.aliases.get(cmd_name, cmd_name))
        if found is None:
            return None
        module, _, function = found[0].partition(":")
        command = getattr(import_module(f"composer.cli.commands.{module}"), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in self.refused:
            raise click.UsageError(f"composer has no '{args[0]}': {self.refused[args[0]]}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        return self.aliases.get(name or "", name), command, without_values(command, rest) if command is not None else rest

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, without_values(self, args))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
