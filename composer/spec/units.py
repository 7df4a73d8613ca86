"""Durations and sizes as Compose files write them, and as docker compose prints them.

A duration is a sequence of number and unit (`1h2m3.5s`; ns us ms s m h d w), read into integer nanoseconds. A size is a number with a
binary unit (`512m`, `1.5gb`, `64 KiB`), read into integer bytes. Source: the Compose Specification, "Specifying durations" and
"Specifying byte values"; printing follows Go's `time.Duration`.
"""

from __future__ import annotations

import re

_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NS |= {"d": 24 * _NS["h"], "w": 7 * 24 * _NS["h"]}
_PART = r"(\d+(?:\.\d*)?|\.\d+)([a-zµμ]+)"  # compiled when first needed, as are all patterns here: compiling takes a start's time
_SIZE = r"(?i:(\d+(?:\.\d*)?(?:e\d+)?|\.\d+) ?([a-z]*))"
_POWER = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MAX = 2**63 - 1


def parse_duration(text: str) -> int:
    """Nanoseconds of `text`; ValueError, in a user's words, when it is no duration."""
    sign, body = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if body == "0":
        return 0
    total, at = 0, 0
    while at < len(body):
        part = re.compile(_PART).match(body, at)
        if part is None or part[2] not in _NS:
            raise ValueError(f"'{text}' is no duration")
        total += _scaled(part[1], _NS[part[2]])
        at = part.end()
    if not body or total > _MAX:
        raise ValueError(f"'{text}' is no duration" if not body else f"the duration '{text}' is too long")
    return sign * total


def _scaled(number: str, unit: int) -> int:
    whole, _, fraction = number[:40].partition(".")
    parts = int(whole or "0") * unit
    return parts + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def format_duration(ns: int) -> str:
    """As Go prints it: `1h2m3s`, `500ms`, `0s`."""
    if ns == 0:
        return "0s"
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    for name, unit in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if ns < unit * 1000 and ns < 10**9:
            return f"{sign}{_decimal(ns, unit)}{name}"
    hours, rest = divmod(ns, _NS["h"])
    minutes, rest = divmod(rest, _NS["m"])
    seconds = f"{_decimal(rest, 10**9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    return f"{whole}.{str(rest).zfill(len(str(unit)) - 1).rstrip('0')}" if rest else str(whole)


def parse_size(text: str) -> int:
    """Bytes of `text`; ValueError, in a user's words, when it is no size."""
    match = re.fullmatch(_SIZE, text.strip()) if len(text) < 64 else None
    if match is None:
        raise ValueError(f"invalid size: '{text}'")
    suffix = match[2].lower()
    unit = suffix.removesuffix("ib") if suffix != "ib" and suffix.endswith("ib") else suffix.removesuffix("b")
    if unit not in _POWER:
        raise ValueError(f"invalid suffix: '{match[2]}' in the size '{text}'")
    value = float(match[1]) * 1024 ** _POWER[unit] if not match[1].isdigit() else int(match[1]) * 1024 ** _POWER[unit]
    if value > _MAX:
        raise ValueError(f"the size '{text}' is too large")
    return int(value)
