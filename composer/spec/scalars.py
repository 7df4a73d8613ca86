"""Scalars as Compose files mean them: plain words to values, and values back to text.

docker compose reads YAML with go-yaml v3, which is YAML 1.2 but for old octals (`017` is 15), `0b11`, `1_000` and dates. So `yes`, `no`,
`on`, `22:22` are strings here, unlike in YAML 1.1. Text of a number is what Go's `%v` prints: `1.50` becomes `1.5`, `1e3` `1000`.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from typing import Any

WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d?):(\d\d?)(\.\d+)?[ \t]*(Z|[-+]\d\d:\d\d)?)?")
_STARTS = frozenset("0123456789+-.")


class Timestamp:
    """A date, or date and time, that was written without quotes; `text` is RFC 3339. Only `x-` attributes may hold one."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def resolve(word: str) -> Any:
    """The value of a plain (unquoted) scalar: None, bool, int, float, Timestamp or str."""
    if word in WORDS:
        return WORDS[word]
    if word[0] not in _STARTS or len(word) > 400:
        return word
    return _number_or_date(word)


def _number_or_date(word: str) -> Any:
    number = word.replace("_", "")
    if number.isascii() and number.isdigit() and (number[0] != "0" or number == "0"):
        return _integer(number)
    if _INT.fullmatch(number):
        return _integer(number)
    if _FLOAT.fullmatch(number):
        value = float(number)
        return word if math.isinf(value) else value
    date = _DATE.fullmatch(word)
    return _timestamp(word, date) if date else word


def _integer(number: str) -> int | float:
    sign = -1 if number[0] == "-" else 1
    digits = number.lstrip("+-").lower()
    if digits.startswith(("0x", "0b", "0o")):
        value = int(digits, 0)
    else:
        value = int(digits, 8) if len(digits) > 1 and digits[0] == "0" else int(digits)
    value *= sign
    return value if -(2**63) <= value < 2**64 else float(value)


def _timestamp(word: str, date: re.Match[str]) -> Timestamp | str:
    year, month, day, hour, minute, second, fraction, zone = date.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31 and int(hour or 0) < 24 and int(minute or 0) < 60 and int(second or 0) < 60):
        return word
    time = f"{(hour or '0').zfill(2)}:{(minute or '0').zfill(2)}:{(second or '0').zfill(2)}{(fraction or '').rstrip('0').rstrip('.')}"
    return Timestamp(f"{year}-{month.zfill(2)}-{day.zfill(2)}T{time}{zone or 'Z'}")


def text_of(value: Any) -> str:
    """A scalar as text, as docker compose prints it: `true`, `1.5`, `+Inf`; None is ""."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_float(value) if isinstance(value, float) else str(value)


def go_float(value: float) -> str:
    """A float as Go prints it, in the fewest digits: with an exponent below 1e-4, and from 1e6 on."""
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + int(exponent)  # where the decimal point stands, counted from the first digit
    limit = len(text) if 6 > len(text) >= point else 6
    minus = "-" if sign else ""
    if value == 0:
        return f"{minus}0"
    if point - 1 < -4 or point - 1 >= limit:
        return f"{minus}{text[0]}{'.' + text[1:] if len(text) > 1 else ''}e{point - 1:+03d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    return f"{minus}{text.ljust(point, '0')[:point]}{'.' + text[point:] if len(text) > point else ''}"


def short_float(value: float) -> float:
    """The shortest float that is the same in 32 bits."""
    wanted = struct.unpack("f", struct.pack("f", value))[0] if abs(value) < 3e38 else value
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if abs(short) < 3e38 and struct.unpack("f", struct.pack("f", short))[0] == wanted:
            return short
    return value
