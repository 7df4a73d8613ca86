"""From the tree in long form to the models, with every complaint of a model put back at its place in a file.

What a model refuses is reported and left out, and the rest is tried again, so that one wrong value does not hide the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from composer.spec.model import Spec
from composer.spec.problems import Problems, did_you_mean
from composer.spec.scalars import text_of
from composer.spec.schema import dotted
from composer.spec.tree import MAPPING, SCALAR, Node, locate

M = TypeVar("M", bound=Spec)

_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that pydantic found wrong. `loc`: where in the data; `kind`: value, unknown or missing; the rest in a user's words."""

    loc: tuple[Any, ...]
    kind: str
    message: str = ""
    hint: str = ""


def to_model(model: type[M], data: dict[str, Any], node: Node, path: tuple[str, ...], problems: Problems) -> M | None:
    """`data` as a model; None when nothing of it can stand. `node`: where `data` came from; `path`: its place in the stack."""
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            found = [_fault(one) for one in error.errors(include_url=False)]
        problems.spoilt.add(".".join(path))
        for fault in found:
            _report(fault, node, path, problems)
        for fault in sorted(found, key=lambda f: [f"{step:08}" if isinstance(step, int) else str(step) for step in f.loc], reverse=True):
            if not _prune(data, fault.loc):
                return None
    return None


def _fault(error: ErrorDetails) -> Fault:
    loc = tuple(step for step in error["loc"] if step != "[key]")
    kind = error["type"]
    if kind in ("missing", "extra_forbidden"):
        return Fault(loc, "missing" if kind == "missing" else "unknown")
    if kind == "spec.value":
        context = error.get("ctx") or {}
        return Fault(loc, "value", str(context["message"]), str(context.get("hint") or ""))
    return Fault(loc, "value", *_words(kind, error.get("input"), error["msg"]))


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


def _report(fault: Fault, node: Node, path: tuple[str, ...], problems: Problems) -> None:
    loc = fault.loc
    where, holder = dotted((*path, *loc)), dotted((*path, *loc[:-1]))
    if fault.kind == "missing":
        problems.error("spec.missing", f"{holder} lacks the property '{loc[-1]}'", locate_key(node, loc[:-1]), f"add '{loc[-1]}'")
    elif fault.kind == "unknown":
        parent = locate(node, loc[:-1])
        known = [key for key in parent.value if key != loc[-1]] if parent.kind == MAPPING else []
        problems.error("spec.unknown-key", f"unknown key '{loc[-1]}' in {holder}", locate_key(node, loc), did_you_mean(str(loc[-1]), known))
    else:
        problems.error("spec.value", f"{where}: {fault.message}", locate(node, loc), fault.hint)


def locate_key(node: Node, loc: tuple[Any, ...]) -> Node:
    """The node of the key that leads to `loc`, or of the item when it is in a list."""
    if not loc:
        return node
    parent = locate(node, loc[:-1])
    return parent.key(loc[-1]) if parent.kind == MAPPING else locate(node, loc)


def _prune(data: Any, loc: tuple[Any, ...]) -> bool:
    """Takes the innermost existing thing at `loc` out of `data`; its parent when something is missing in it. False: nothing is left."""
    chain: list[tuple[Any, Any]] = []
    at = data
    for step in loc:
        there = (isinstance(at, dict) and step in at) or (isinstance(at, list) and isinstance(step, int) and step < len(at))
        if not there:
            break
        chain.append((at, step))
        at = at[step]
    if not chain:
        return False
    holder, step = chain[-1]
    if isinstance(holder, dict):
        holder.pop(step, None)
    else:
        holder.pop(step)
    return True


def plain_data(node: Node) -> Any:
    """Like `plain`, for models: always fresh containers, so that they may be changed."""
    if node.kind == SCALAR:
        return node.value
    if node.kind == MAPPING:
        return {key: plain_data(value) for key, value in node.value.items()}
    return [plain_data(value) for value in node.value]
