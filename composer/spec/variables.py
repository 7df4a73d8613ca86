"""The variables that a stack file names: `config --variables`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from composer.spec.emit import to_yaml
from composer.spec.interpolate import variables
from composer.spec.tree import SCALAR, Node

_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Named:
    """One variable: does the file demand it, and what stands in for it."""

    name: str
    required: bool
    default: str
    alternate: str


def named_variables(tree: Node) -> list[Named]:
    """Every variable in the tree, by name; the first use that says something about it counts."""
    found: dict[str, Named] = {}
    for text in _texts(tree):
        for use in variables(text):
            kind = use.operator[-1:]
            one = Named(use.name, kind == "?", use.word if kind == "-" else "", use.word if kind == "+" else "")
            old = found.get(use.name)
            if old is None or (not old.required and not old.default and not old.alternate):
                found[use.name] = one
    return [found[name] for name in sorted(found)]


def _texts(node: Node) -> Iterator[str]:
    if node.kind == SCALAR:
        if isinstance(node.value, str) and "$" in node.value:
            yield node.value
        return
    for child in node.value.values() if isinstance(node.value, dict) else node.value:
        yield from _texts(child)


def variables_table(tree: Node, form: str) -> str:
    """The variables as a table, or as `json` or `yaml`."""
    found = named_variables(tree)
    if form in ("json", "yaml"):
        keys = ("Name", "DefaultValue", "PresenceValue", "Required")
        data = {one.name: dict(zip(keys, (one.name, one.default, one.alternate, one.required), strict=True)) for one in found}
        return json.dumps(data) + "\n" if form == "json" else to_yaml({k: {a.lower(): b for a, b in v.items()} for k, v in data.items()})
    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    rows += [(one.name, "true" if one.required else "false", one.default, one.alternate) for one in found]
    widths = [max(_WIDTH, *(len(row[column]) + 3 for row in rows)) for column in range(3)]
    lines = ["".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip() for row in rows]
    return "".join(f"{line}\n" for line in lines)
