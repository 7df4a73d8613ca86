"""Reading composer's own extensions (`x-heal`, `x-schedule`): each key by its reader, every mistake with its place. Pure.

A **reader** takes a value and gives what it means; it raises ValueError(what is wrong, in a user's words, a hint or nothing).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from composer.spec.problems import did_you_mean
from composer.spec.units import parse_duration

Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Mistake:
    """``key``: of which key of the extension; "" : of all of it."""

    key: str
    message: str
    hint: str = ""
    on_key: bool = False


def read(value: Any, readers: Mapping[str, Reader]) -> tuple[dict[str, Any], list[Mistake]]:
    """What the keys mean, and what is wrong with them."""
    if not isinstance(value, Mapping):
        return {}, [Mistake("", "must be a mapping", f"its keys: {', '.join(readers)}")]
    found: dict[str, Any] = {}
    mistakes = []
    for key, given in value.items():
        reader = readers.get(key)
        if reader is None:
            hint = did_you_mean(str(key), readers, listed="its keys: ")
            mistakes.append(Mistake(str(key), f"has no key '{key}'", hint, on_key=True))
            continue
        try:
            found[key] = reader(given)
        except ValueError as error:
            message, hint = (*map(str, error.args), "")[:2]
            mistakes.append(Mistake(key, message, hint))
    return found, mistakes


def one_of(*words: str) -> Reader:
    """One of these words."""

    def reader(value: Any) -> str:
        text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        if text not in words:
            raise ValueError(f"'{value}' is none of {', '.join(words)}", did_you_mean(str(value), words))
        return str(text)

    return reader


def seconds(value: Any) -> float:
    """A duration as Compose writes it ("10m"), more than nothing."""
    try:
        found = parse_duration(str(value)) / 10**9
    except ValueError as error:
        raise ValueError(str(error), "as in 30s, 10m, 1h30m") from error
    if found <= 0:
        raise ValueError(f"'{value}' must be longer than nothing", "as in 30s, 10m, 1h30m")
    return found


def whole(least: int, most: int) -> Reader:
    """A whole number in these bounds."""

    def reader(value: Any) -> int:
        text = str(value)
        if isinstance(value, bool) or not text.lstrip("-").isdigit() or not least <= int(text) <= most:
            raise ValueError(f"'{value}' is no whole number from {least} to {most}")
        return int(text)

    return reader
