"""The kinds of values that have a written and a printed form: durations, sizes, flags, numbers, modes.

A number in quotes may be all that Go's `ParseInt` with base 0 takes (`"0x1f"` is 31,
"" is 0), a fraction is cut off: so docker compose reads them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from composer.spec.model.base import Shown, wrong
from composer.spec.scalars import short_float, text_of
from composer.spec.units import format_duration, parse_duration, parse_size

_FLAGS = {**dict.fromkeys(("true", "yes", "y", "on"), True), **dict.fromkeys(("false", "no", "n", "off"), False)}
_MODE_HINT = "octal permissions, such as 0440"
_HIGHEST = 2**63


def _duration(value: Any) -> int:
    if not isinstance(value, str):
        return _whole(value)
    try:
        return parse_duration(value)
    except ValueError as error:
        raise wrong(str(error), "a number with a unit, such as 10s, 1m30s or 500ms") from error


def _size(value: Any) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    try:
        return parse_size(str(value))
    except ValueError as error:
        raise wrong(str(error), "a number with a unit, such as 512m, 1.5g or 64kb") from error


def _swap(value: Any) -> int:
    return -1 if str(value) == "-1" else _size(value)


def _mode(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError as error:
            raise wrong(f"'{value}' is no file mode", _MODE_HINT) from error
    if isinstance(value, float):
        raise wrong(f"{value} is no file mode", _MODE_HINT)
    return _whole(value)


def _loose_mode(value: Any) -> int:
    return int(value, 8) if isinstance(value, str) and value.isdigit() and set(value) <= set("01234567") else _whole(value)


def _cpus(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise wrong(f"'{value}' is no number of CPUs", "a number, such as 0.5 or 2") from error


def _fraction(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError) as error:
        raise wrong(f"'{text_of(value)[:60]}' is no number") from error


def _count(value: Any) -> int:
    return -1 if value == "all" else _whole(value)


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and abs(value) < _HIGHEST:
        return int(value)
    if isinstance(value, str):
        number = go_int(value)
        if number is not None:
            return number
    shown = f"'{text_of(value)[:60]}'" if not isinstance(value, dict | list) else "this"
    raise wrong(f"{shown} is no whole number")


def go_int(text: str) -> int | None:
    """A number as Go's `ParseInt(text, 0, 64)` reads it; None when it does not."""
    if text == "":
        return 0
    match = re.fullmatch(r"([-+]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|0[0-7_]*|[1-9][0-9_]*)", text)
    if match is None or len(text) > 80 or text.endswith("_") or "__" in text:
        return None
    digits = match[2].replace("_", "")
    value = int(digits, 8) if re.fullmatch(r"0[0-7]+", digits) else int(digits, 0)
    value = -value if match[1] == "-" else value
    return value if -_HIGHEST <= value < _HIGHEST else None


def _natural(value: Any) -> int:
    number = _whole(value)
    if number < 0:
        raise wrong(f"{number} cannot be: it must not be negative")
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _FLAGS:
        raise wrong(f"invalid boolean: {text_of(value)[:60] if not isinstance(value, dict | list) else 'this value'}", "true or false")
    return _FLAGS[word]


Duration = Annotated[int, BeforeValidator(_duration), Shown(format_duration)]  # nanoseconds
Size = Annotated[int, BeforeValidator(_size), Shown(str)]  # bytes
SwapSize = Annotated[int, BeforeValidator(_swap), Shown(str)]  # bytes, or -1: no limit
FileMode = Annotated[int, BeforeValidator(_mode), Shown(lambda mode: f"0{mode:o}")]
TmpfsMode = Annotated[int, BeforeValidator(_loose_mode)]
Fraction = Annotated[float, BeforeValidator(_fraction), Shown(short_float)]
Cpus = Annotated[float, BeforeValidator(_cpus), Shown(short_float)]
Whole = Annotated[int, BeforeValidator(_whole)]  # a fraction is cut off, as docker compose does
Natural = Annotated[int, BeforeValidator(_natural)]
Flag = Annotated[bool, BeforeValidator(_flag)]
DeviceCount = Annotated[int, BeforeValidator(_count)]  # -1: all
