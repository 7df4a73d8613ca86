"""The functions of `composer.cli.template`: Go's and Docker's, with their argument order (the piped value is last)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any


def text(value: Any) -> str:
    """A value as Go prints it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{text(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(text(item) for item in value) + "]"
    return str(value)


def _json(value: Any) -> str:
    """As Go's encoder without HTML escaping."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, dict) else value[key]
    return value


def _truncate(value: Any, length: int) -> str:
    return text(value)[:length]


def _pad(value: Any, before: int, after: int) -> str:
    found = text(value)
    return f"{' ' * before}{found}{' ' * after}" if found else found


def _printf(form: str, *values: Any) -> str:
    """Go's verbs on Python's: %s %v %d %q %t %f %x and widths."""
    left = list(values)

    def one(match: re.Match[str]) -> str:
        flags, verb = match[1], match[2]
        if verb == "%":
            return "%"
        if not left:
            return f"%!{verb}(MISSING)"
        value = left.pop(0)
        if verb in "svt":
            return ("%" + flags + "s") % text(value)
        if verb == "q":
            return ("%" + flags + "s") % json.dumps(text(value), ensure_ascii=False)
        return ("%" + flags + verb) % (float(value) if verb in "fge" else int(value))

    return re.sub(r"%([-+# 0]*\d*(?:\.\d+)?)([a-zA-Z%])", one, form)


def _and(*values: Any) -> Any:
    return next((value for value in values if not value), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if value), values[-1])


def _eq(first: Any, *others: Any) -> bool:
    return any(first == other for other in others)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": _json,
    "join": lambda items, separator: separator.join(text(item) for item in items or ()),
    "split": lambda value, separator: text(value).split(separator),
    "upper": lambda value: text(value).upper(),
    "lower": lambda value: text(value).lower(),
    "title": lambda value: text(value).title(),
    "pad": _pad,
    "padLeft": lambda value, width: text(value).rjust(width),
    "truncate": _truncate,
    "println": lambda *values: " ".join(text(value) for value in values) + "\n",
    "print": lambda *values: "".join(text(value) for value in values),
    "printf": _printf,
    "len": lambda value: len(value or ()),
    "index": _index,
    "slice": lambda value, *bounds: value[slice(*bounds)],
    "eq": _eq,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "and": _and,
    "or": _or,
    "not": lambda value: not value,
}
