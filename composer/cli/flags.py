"""Flags as Go's programs take them: ``--wait=true``, ``--orphans=false`` beside ``--wait`` and ``--no-orphans``."""

from __future__ import annotations

from collections.abc import Sequence

import click

TRUE, FALSE = ("true", "t", "1", "True", "TRUE"), ("false", "f", "0", "False", "FALSE")


def without_values(command: click.Command, arguments: Sequence[str]) -> list[str]:
    """``arguments`` of ``command`` with each ``--flag=true`` and ``--flag=false`` as click knows it; what follows the options stays."""
    options = {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}
    stops = not command.context_settings.get("allow_interspersed_args", True) or isinstance(command, click.Group)
    out: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--" or (stops and not (word.startswith("-") and word != "-")):
            return [*out, word, *rest]
        name, equals, value = word.partition("=")
        option = options.get(name)
        if equals and option is not None and option.is_flag and value in (*TRUE, *FALSE):
            out.extend(_said(option, name, value in TRUE))
            continue
        out.append(word)
        if not equals and rest and _takes_next(word, options):
            out.append(rest.pop(0))
    return out


def _said(option: click.Option, name: str, wanted: bool) -> list[str]:
    if wanted:
        return [name]
    return option.secondary_opts[:1]


def _takes_next(word: str, options: dict[str, click.Option]) -> bool:
    """Is the next word this option's value?"""
    if word.startswith("--"):
        option = options.get(word)
        return option is not None and not option.is_flag and not option.count
    if not word.startswith("-") or word == "-":
        return False
    for position, letter in enumerate(word[1:], 2):
        option = options.get(f"-{letter}")
        if option is None or not (option.is_flag or option.count):
            return option is not None and position == len(word)
    return False
