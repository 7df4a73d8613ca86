"""Plain data to YAML text that YAML 1.1 and 1.2 readers understand alike: strings that could be read as something else are quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from composer.spec.scalars import go_float, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9_./$\u00a1-\ud7ff\ue000-\ufefe][^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]*")
_CONFUSING = re.compile(r": |:$| #|\s$")
_SPECIAL = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")  # what YAML does not take as it is
_OLD_WORDS = frozenset(("y", "n", "yes", "no", "on", "off"))  # booleans of YAML 1.1, in any case
_OLD_NUMBER = re.compile(r"[-+.\d][\d_:.eE+-]*")
_BLOCK = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]+")


def to_yaml(data: Any) -> str:
    """A document; mappings keep their order."""
    if not isinstance(data, dict | list) or not data:
        return f"{_inline(data, 0)}\n"
    return "\n".join(_lines(data, 0)) + "\n"


def _lines(data: Any, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(data, dict):
        for key, value in data.items():
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


def _inline(value: Any, indent: int) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(go_float(value)) or go_float(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _string(str(value), indent)


def _string(text: str, indent: int | None) -> str:
    if "\n" in text and indent is not None and _fits_block(text):
        return _block(text, indent)
    if _PLAIN.fullmatch(text) and not _CONFUSING.search(text) and _is_text(text):
        return text
    return _SPECIAL.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def _is_text(text: str) -> bool:
    return isinstance(resolve(text), str) and text.lower() not in _OLD_WORDS and not _OLD_NUMBER.fullmatch(text)


def _fits_block(text: str) -> bool:
    return bool(_BLOCK.fullmatch(text)) and text.strip("\n") != "" and text[0] not in " \n\t" and not re.search(r"[ \t](\n|$)", text)


def _block(text: str, indent: int) -> str:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    mark = "|-" if ends == 0 else "|" if ends == 1 else "|+"
    pad = " " * indent
    lines = [f"{pad}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([mark, *lines, *[""] * max(0, ends - 1)])
