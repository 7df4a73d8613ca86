"""Plain data to YAML text, as docker compose (go-yaml v3, an indentation of 2) writes it, character by character.

A string is plain where that reads back as the same string, also in YAML 1.1; in double quotes when it looks like another type; in single
quotes when its characters forbid plain style; a literal block when it has several lines. Source: go-yaml's encoder, and the analysis of
scalars of libyaml's emitter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from composer.spec.scalars import Timestamp, go_float, resolve

_OLD_BOOLEANS = frozenset(
    word for old in ("y", "n", "yes", "no", "on", "off") for word in (old, old.capitalize(), old.upper())
)  # of YAML 1.1
_BASE_60 = r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
_SPECIAL = "[^\t\n -~\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]"  # what libyaml takes for unprintable, a byte order mark and emoji among them
_BREAKS = "[\r\n\x85\u2028\u2029]"
_LONGEST = 128  # bytes of a key that is written before a colon
_FIRST = frozenset("#,[]{}&*!|>'\"%@`")
_ESCAPES = {"\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e", '"': '"', "\\": "\\"}
_ESCAPES |= {"\x85": "N", "\u2028": "L", "\u2029": "P"}


def to_yaml(data: Any) -> str:
    """A document; mappings keep their order."""
    if not isinstance(data, dict | list) or not data:
        return f"{_inline(data, 0)}\n"
    return "\n".join(_lines(data, 0)) + "\n"


def _lines(data: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(data, dict):
        for key, value in data.items():
            if _is_long(str(key)):
                yield from _long_key(str(key), value, indent)
                continue
            name = f"{pad}{_string(str(key), None)}:"
            if isinstance(value, dict | list) and value:
                yield name
                yield from _lines(value, indent + 2)
            else:
                yield f"{name} {_inline(value, indent + 2)}"
        return
    for item in data:
        if isinstance(item, dict | list) and item:
            first, *rest = _lines(item, indent + 2)
            yield f"{pad}- {first[indent + 2 :]}"
            yield from rest
        else:
            yield f"{pad}- {_inline(item, indent + 2)}"


def _is_long(key: str) -> bool:
    """Must the key be written behind a `?`"""
    return (len(key) > 42 and len(key.encode("utf-8", "surrogatepass")) > _LONGEST) or bool(re.search(_BREAKS, key))


def _long_key(key: str, value: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    yield f"{pad}? {_string(key, indent + 2)}"
    if isinstance(value, dict | list) and value:
        first, *rest = _lines(value, indent + 2)
        yield f"{pad}: {first[indent + 2 :]}"
        yield from rest
    else:
        yield f"{pad}: {_inline(value, indent + 2)}"


def _inline(value: Any, indent: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(go_float(value)) or go_float(value)
    if isinstance(value, int | Timestamp):
        return str(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _string(str(value), indent)


def _string(text: str, indent: int | None) -> str:
    """A scalar; `indent` None: it is a key."""
    if text.isascii() and text.isidentifier() and text not in _OLD_BOOLEANS and isinstance(resolve(text), str):
        return text  # most are words
    special = re.search(_SPECIAL, text) is not None or (indent is None and text == "<<")  # a key that would merge
    if "\n" in text:
        return _block(text, indent) if indent is not None and not special and _may_be_block(text) else _double(text)
    if not _is_text(text) or special or "\t" in text or re.search(_BREAKS, text):
        return _double(text)
    return text if _may_be_plain(text) else "'" + text.replace("'", "''") + "'"


def _is_text(text: str) -> bool:
    """Is `text`, unquoted, a string to every reader?"""
    return isinstance(resolve(text), str) and text not in _OLD_BOOLEANS and not re.fullmatch(_BASE_60, text)


def _may_be_plain(text: str) -> bool:
    first, second = text[0], text[1:2]
    if first in _FIRST or text[-1] == " " or first == " " or text.startswith(("---", "...")):
        return False
    if first in "?:-" and second in ("", " "):
        return False
    return ": " not in text and " #" not in text and text[-1] != ":"


def _may_be_block(text: str) -> bool:
    return text[-1] != " " and text.lstrip("\n")[:1] != "\t" and not re.search(f" {_BREAKS}", text)


def _block(text: str, indent: int) -> str:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    hint = "2" if text[0] in " \n" else ""
    mark = "-" if ends == 0 else "+" if ends > 1 or not body else ""
    pad = " " * indent
    lines = [f"{pad}{line}" if line else "" for line in (body.split("\n") if body else [])]
    return "\n".join([f"|{hint}{mark}", *lines, *[""] * (max(0, ends - 1) if body else ends)])


def _double(text: str) -> str:
    return '"' + re.sub(f'{_SPECIAL}|{_BREAKS}|[\t"\\\\]', _escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _ESCAPES:
        return "\\" + _ESCAPES[char]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
