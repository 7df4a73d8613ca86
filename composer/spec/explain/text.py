"""An explanation as text, and as data for JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from composer.spec.emit import to_yaml
from composer.spec.explain.origin import Earlier, Value
from composer.spec.explain.route import shown
from composer.spec.explain.uses import Use
from composer.spec.explain.value import Explanation, Found
from composer.spec.explain.variables import Origin, Variables
from composer.spec.tree import Node

_WIDE = 160


def value_text(explanation: Explanation) -> str:
    """Values that came from the same place stand together, their origin beneath them."""
    return "\n".join("\n".join(_found(one, explanation.study.variables)) for one in explanation.found) + "\n"


def _found(found: Found, variables: Variables) -> Iterator[str]:
    if found.note:
        yield f"# {found.note}"
    if found.merged:
        yield f"{shown(found.path)} was merged from"
        for part in found.merged:
            yield f"  {part.node.mark}{_how(part.how, part.node)}"
    before: list[str] | None = None
    for value in found.values:
        origin = list(_origin(value, variables))
        if before is not None and origin != before:
            yield from before
        before = origin
        yield f"{shown(value.path)}: {_shown(value)}"
    yield from before or ()


def _shown(value: Value) -> str:
    if value.kind == "removed":
        return "(removed)"
    if value.kind == "unset":
        return "(not set)"
    return inline(value.value)


def inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and "\n" in value:
        return json.dumps(value, ensure_ascii=False)
    return to_yaml(value).rstrip("\n")


def _origin(value: Value, variables: Variables) -> Iterator[str]:
    if value.node is not None:
        yield f"  from {value.node.mark}{_how(value.how, value.node)}"
        line = value.node.source.line(value.node.line)
        if line is not None and line.strip():
            yield f"      {value.node.line} | {line[:_WIDE]}"
    elif value.how:
        yield f"  from {value.how}"
    if value.note:
        yield f"  {value.note}"
    for use in value.uses:
        yield f"  {_use(use, variables)}"
    for one in value.earlier:
        word = "it was" if value.kind == "removed" else "overrode"
        by = f", taken away by {one.by}" if one.by else ""
        yield f"  {word} {inline(one.value)}, {one.node.mark}{_how(one.how, one.node)}{by}"


def _how(how: str, node: Node) -> str:
    said = [how, *(step for step in reversed(node.source.chain) if not (how and step.startswith("extended")))]
    return f" ({'; '.join(one for one in said if one)})" if any(said) else ""


def _use(use: Use, variables: Variables) -> str:
    result = inline(use.result) if use.result is not None else use.problem
    return f"{use.expression} = {result}: {where(use, variables)}"


def where(use: Use, variables: Variables) -> str:
    """Where the value of a use came from, in words."""
    origins = variables.sources(use.name, use.node.source.lookup)
    if use.defaulted:
        return f"the default in the file; {use.name} is {'empty, ' + origin_text(origins[0]) if origins else 'not set'}"
    if not origins:
        return f"{use.name} is not set"
    return f"{use.name} from {origin_text(origins[0])}"


def origin_text(origin: Origin) -> str:
    """A source of a variable in words: `the shell environment`, `.env:3`."""
    if origin.place is None:
        return f"the {origin.kind}"
    kind = "" if origin.kind in (".env",) else f" ({origin.kind})"
    return f"{origin.place.mark}{kind}"


def value_data(explanation: Explanation) -> list[dict[str, Any]]:
    """For JSON: an object for each value."""
    variables = explanation.study.variables
    return [_value(value, found, variables) for found in explanation.found for value in found.values]


def _value(value: Value, found: Found, variables: Variables) -> dict[str, Any]:
    out: dict[str, Any] = {"path": shown(value.path), "value": value.value, "kind": value.kind}
    if value.node is not None:
        out |= place(value.node)
    out |= {"how": value.how, "note": value.note or found.note}
    out["variables"] = [_use_data(use, variables) for use in value.uses]
    out["overrode"] = _earlier(value.earlier)
    if found.merged:
        out["merged_from"] = _earlier(found.merged)
    return out


def _earlier(earlier: Iterable[Earlier]) -> list[dict[str, Any]]:
    return [{"value": one.value, **place(one.node), "how": one.how, "removed_by": one.by} for one in earlier]


def place(node: Node) -> dict[str, Any]:
    """A node's file, line, column, text, and the include and extends steps that led there."""
    text = (node.source.line(node.line) or "").strip()
    return {"file": node.source.name, "line": node.line, "column": node.column, "text": text, "chain": list(node.source.chain)}


def _use_data(use: Use, variables: Variables) -> dict[str, Any]:
    origins = variables.sources(use.name, use.node.source.lookup)
    return {
        "name": use.name,
        "expression": use.expression,
        "result": use.result,
        "defaulted": use.defaulted,
        "source": origin_data(origins[0]) if origins else None,
    }


def origin_data(origin: Origin) -> dict[str, Any]:
    """A source of a variable, for JSON."""
    return {"kind": origin.kind, "value": origin.value, **(place(origin.place) if origin.place is not None else {})}


def to_json(data: Any) -> str:
    """As `config --format json` prints."""
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"
