"""Docker's filters of `GET /volumes`: name, label, dangling, driver. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from composer.engine.errors import InvalidArgument
from composer.engine.model import Volume

_KNOWN = frozenset({"name", "label", "label!", "dangling", "driver", "all"})


def check(filters: Mapping[str, Sequence[str]]) -> None:
    for key in filters:
        if key not in _KNOWN:
            raise InvalidArgument(f"invalid filter '{key}'")


def selected(volume: Volume, filters: Mapping[str, Sequence[str]], *, in_use: bool) -> bool:
    return all(_passes(volume, key, values, in_use) for key, values in filters.items() if values)


def _passes(volume: Volume, key: str, values: Sequence[str], in_use: bool) -> bool:
    if key == "name":
        return any(value in volume.name or _search(value, volume.name) for value in values)
    if key == "driver":
        return volume.driver in values
    if key == "dangling":
        return any((value.lower() in ("1", "true")) is not in_use for value in values)
    if key == "label":
        return all(_has(volume.labels, value) for value in values)
    return not any(_has(volume.labels, value) for value in values)  # label!


def _search(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
