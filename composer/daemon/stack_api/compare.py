"""Two stacks in normal form, compared: a line for each setting that differs, beneath what it belongs to. What looks secret is not shown.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_SECRET = re.compile(r"pass(word|wd|phrase)?|secret|token|credential|auth|cookie|private|api_?key|_key$|^key$|dsn|salt", re.IGNORECASE)
_HIDDEN = "(not shown)"
_LONG = 120  # characters of a value
_SINGULAR = {"services": "service", "networks": "network", "volumes": "volume", "secrets": "secret", "configs": "config", "models": "model"}


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], digests_before: Mapping[str, str], digests_after: Mapping[str, str]
) -> list[str]:
    """Lines that begin with ``+``, ``-`` or ``~``; the settings of a thing are indented beneath its own line."""
    lines: list[str] = []
    for section, word in _SINGULAR.items():
        mine, theirs = before.get(section) or {}, after.get(section) or {}
        for name in sorted({*mine, *theirs}):
            lines += _thing(f"{word} {name}", mine.get(name), theirs.get(name), name in mine, name in theirs)
    for name in sorted({*digests_before, *digests_after}):
        old, new = digests_before.get(name), digests_after.get(name)
        if old and new and old != new:
            lines.append(f"~ {name}: {old} -> {new}")
    return lines


def _thing(title: str, before: Any, after: Any, was: bool, there: bool) -> list[str]:
    if not was or not there:
        found = dict(_flat(after if there else before))
        sign = "+" if there else "-"
        return [f"{sign} {title}"] + [f"    {path}: {_shown(path, value)}" for path, value in found.items() if path == "image"]
    old, new = dict(_flat(before)), dict(_flat(after))
    inside = []
    for path in sorted({*old, *new}):
        if path not in old:
            inside.append(f"  + {path}: {_shown(path, new[path])}")
        elif path not in new:
            inside.append(f"  - {path}: {_shown(path, old[path])}")
        elif old[path] != new[path]:
            one, other = _shown(path, old[path]), _shown(path, new[path])
            inside.append(f"  ~ {path}: {'changed ' + _HIDDEN if one == _HIDDEN else f'{one} -> {other}'}")
    return [f"~ {title}", *inside] if inside else []


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, scalar or list of scalars) of all that is in it."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            name = next(
                (str(item[key]) for key in ("target", "source", "path") if isinstance(item, Mapping) and key in item), json.dumps(item)
            )
            yield f"{path}[{name}]", json.dumps(item, sort_keys=True, default=str)
    else:
        yield path, value


def _shown(path: str, value: Any) -> str:
    words = path.split(".")
    if any(_SECRET.search(word) for word in words[1:] or words):
        return _HIDDEN
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = re.sub(r"://[^/@\s\"]+@", "://***@", text)  # a user and password in a URL
    return text if len(text) <= _LONG else text[: _LONG - 3] + "..."
