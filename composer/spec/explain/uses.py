"""The uses of variables in a text: each expression, those inside of defaults included, and what came out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from composer.spec.interpolate import Wrong, expand, outermost, within
from composer.spec.tree import SCALAR, Node


@dataclass(frozen=True, slots=True)
class Use:
    """One expression of a variable at `node`. `result`: what stands there instead; `problem`: why there is nothing.

    `defaulted`: the variable had no value that counts and the word behind the operator took its place.
    """

    name: str
    expression: str
    node: Node
    result: str | None
    problem: str = ""
    defaulted: bool = False


def uses(node: Node) -> list[Use]:
    """Every use in a scalar, in the variables that its file sees; none for other nodes."""
    return list(_within(node.raw, node, node.source.lookup)) if node.kind == SCALAR and "$" in node.raw else []


def _within(text: str, node: Node, lookup: Mapping[str, str]) -> Iterator[Use]:
    for use in outermost(text):
        expression = text[use.start : use.end]
        value = lookup.get(use.name)
        there = value is not None and (value != "" or not use.operator.startswith(":"))
        result, problem = _expanded(expression, lookup)
        place = within(node, use.start) if node.raw == text else node
        yield Use(use.name, expression, place, result, problem, use.operator[-1:] == "-" and not there)
        if "$" in use.word and (there if use.operator[-1:] == "+" else not there):
            yield from _within(use.word, place, lookup)


def _expanded(text: str, lookup: Mapping[str, str]) -> tuple[str | None, str]:
    try:
        return expand(text, lookup), ""
    except Wrong as wrong:
        return None, wrong.message
