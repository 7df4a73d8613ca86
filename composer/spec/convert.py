"""From the tree in long form to the models, with every complaint of a model put back at its place in a file.

What a model refuses is reported and left out, and the rest is tried again, so that one wrong value does not hide the next.
"""

from __future__ import annotations

from composer.spec.model.base import Fault, Spec, Unfit
from composer.spec.problems import Problems, did_you_mean
from composer.spec.schema import dotted
from composer.spec.tree import MAPPING, SCALAR, Node, locate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    M = TypeVar("M", bound=Spec)

_ROUNDS = 20


def to_model(model: type[M], data: dict[str, Any], node: Node, path: tuple[str, ...], problems: Problems) -> M | None:
    """`data` as a model; None when nothing of it can stand. `node`: where `data` came from; `path`: its place in the stack."""
    for _ in range(_ROUNDS):
        try:
            return model.model_validate(data)
        except Unfit as unfit:
            found = unfit.faults
        problems.spoilt.add(".".join(path))
        for fault in found:
            _report(fault, node, path, problems)
        for fault in sorted(found, key=lambda f: [f"{step:08}" if isinstance(step, int) else str(step) for step in f.loc], reverse=True):
            if not _prune(data, fault.loc):
                return None
    return None


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
