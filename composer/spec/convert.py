"""From the tree in long form to the models, with every complaint of a model put back at its place in a file.

What a model refuses is reported and left out, and the rest is tried again, so that one wrong value does not hide the next.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from composer.spec.model import Spec
from composer.spec.problems import Problems, did_you_mean
from composer.spec.scalars import text_of
from composer.spec.schema import dotted
from composer.spec.tree import MAPPING, SCALAR, Node, locate

M = TypeVar("M", bound=Spec)
_ROUNDS = 20


def to_model(model: type[M], data: dict[str, Any], node: Node, path: tuple[str, ...], problems: Problems) -> M | None:
    """`data` as a model; None when nothing of it can stand. `node`: where `data` came from; `path`: its place in the stack."""
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            found = error.errors(include_url=False)
        problems.spoilt.add(".".join(path))
        for one in found:
            _report(one, node, path, problems)
        for one in sorted(found, key=lambda e: [f"{step:08}" if isinstance(step, int) else step for step in e["loc"]], reverse=True):
            if not _prune(data, one["loc"], one["type"] == "missing"):
                return None
    return None


def _report(error: Any, node: Node, path: tuple[str, ...], problems: Problems) -> None:
    loc = tuple(step for step in error["loc"] if step != "[key]")
    at = locate(node, loc)
    where = dotted((*path, *loc))
    kind, value = error["type"], error.get("input")
    context = error.get("ctx") or {}
    if kind == "spec.value":
        problems.error("spec.value", f"{where}: {context['message']}", at, context.get("hint") or "")
    elif kind == "missing":
        lacking = locate_key(node, loc[:-1])
        problems.error("spec.missing", f"{dotted((*path, *loc[:-1]))} lacks the property '{loc[-1]}'", lacking, f"add '{loc[-1]}'")
    elif kind == "extra_forbidden":
        known = [key for key in locate(node, loc[:-1]).value if key != loc[-1]] if locate(node, loc[:-1]).kind == MAPPING else []
        problems.error(
            "spec.unknown-key",
            f"unknown key '{loc[-1]}' in {dotted((*path, *loc[:-1]))}",
            locate_key(node, loc),
            did_you_mean(str(loc[-1]), known),
        )
    else:
        message, hint = _words(kind, value, error["msg"])
        problems.error("spec.value", f"{where}: {message}", at, hint)


def _words(kind: str, value: Any, given: str) -> tuple[str, str]:
    shown = f"'{text_of(value)[:60]}'" if not isinstance(value, dict | list) else "this value"
    if kind.startswith("bool"):
        return f"invalid boolean: {shown}", "true or false"
    if kind.startswith("int"):
        return f"{shown} is no whole number", ""
    if kind.startswith("float") or kind == "finite_number":
        return f"{shown} is no number", ""
    if kind.startswith("string"):
        return f"{shown} must be a string", "quote it"
    return f"{shown}: {given.lower()}", ""


def locate_key(node: Node, loc: tuple[Any, ...]) -> Node:
    """The node of the key that leads to `loc`, or of the item when it is in a list."""
    if not loc:
        return node
    parent = locate(node, loc[:-1])
    return parent.key(loc[-1]) if parent.kind == MAPPING else locate(node, loc)


def _prune(data: Any, loc: tuple[Any, ...], missing: bool) -> bool:
    """Takes the innermost existing thing at `loc` out of `data`; its parent when something is missing in it. False: nothing is left."""
    chain: list[tuple[Any, Any]] = []
    at = data
    for step in loc:
        if (isinstance(at, dict) and step in at) or (isinstance(at, list) and isinstance(step, int) and step < len(at)):
            chain.append((at, step))
        elif step != "[key]":
            break
        at = at[step] if step != "[key]" else at
    while chain:
        holder, step = chain.pop()
        if isinstance(holder, dict):
            holder.pop(step, None)
            return True
        if step < len(holder):
            holder.pop(step)
        return True
    return False


def plain_data(node: Node) -> Any:
    """Like `plain`, for models: always fresh containers, so that they may be changed."""
    if node.kind == SCALAR:
        return node.value
    if node.kind == MAPPING:
        return {key: plain_data(value) for key, value in node.value.items()}
    return [plain_data(value) for value in node.value]
