"""`config --explain PATH`: each value at a path of the model, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from composer.errors import Diagnostic
from composer.spec.explain.defaults import UNSET, exactly, known_names
from composer.spec.explain.layers import at, counterpart
from composer.spec.explain.origin import DEFAULT, WHOLE, Earlier, Value, explained, leaves, reaches, removed
from composer.spec.explain.route import Path, Step, find, refuse, shown, steps
from composer.spec.explain.study import Study, is_null, study
from composer.spec.load import Options, load
from composer.spec.model import Stack
from composer.spec.normal import to_normal
from composer.spec.read import Need, Request
from composer.spec.scalars import Timestamp
from composer.spec.tree import MAPPING, SEQUENCE, Node, plain


@dataclass(frozen=True, slots=True)
class Found:
    """A place that was asked for. `values`: the single ones in it; `merged`: the layers that it was put together from, when several."""

    path: Path
    values: tuple[Value, ...]
    merged: tuple[Earlier, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that the path named."""

    study: Study
    found: tuple[Found, ...]
    warnings: tuple[Diagnostic, ...]


def explain(request: Request, text: str) -> Explanation | Need:
    """Need: call again with those contents. SpecError: the files are wrong. NoSuchPath: nothing is there, and what may be meant."""
    stack = load(request, Options(contents=False))
    if isinstance(stack, Need):
        return stack
    done = study(request)
    if isinstance(done, Need):
        return done
    data = _model(stack, done)
    route = steps(text)
    paths = list(find(data, route))
    found = [_found(done, path, _inside(data, path), stack) for path in paths] or _gone(done, route) or _unset(data, route)
    if not found:
        raise refuse(data, text, route, dict(_known(data, route)))
    return Explanation(done, tuple(found), stack.warnings)


def _model(stack: Stack, done: Study) -> dict[str, Any]:
    """The normal form with all that was written: services that no profile enables, and what `config` does not print."""
    everything = stack.with_services({**stack.services, **stack.disabled_services}, {})
    return _with(to_normal(everything, "yaml"), _texts(plain(done.tree)))


def _with(data: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    out = dict(data)
    for key, value in written.items():
        if key not in data and value is not None and key != "declared":
            out[key] = value
        elif isinstance(data.get(key), dict) and isinstance(value, dict):
            out[key] = _with(data[key], value)
    return out


def _texts(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.text
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list) else value


def _inside(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _found(done: Study, path: Path, value: Any, stack: Stack) -> Found:
    values = [explained(done, where, leaf) for where, leaf in leaves(value, path)]
    note = ""
    if path[:1] == ("services",) and len(path) > 1 and path[1] in stack.disabled_services:
        profiles = ", ".join(stack.disabled_services[str(path[1])].profiles)
        note = f"the service is not enabled: no profile of it is active ({profiles})"
    return Found(path, (*values, *removed(done, path)), tuple(_merged(done, path, value)), note)


def _merged(done: Study, path: Path, value: Any) -> Iterator[Earlier]:
    """The layers that a mapping or a list was put together from."""
    node = at(done.tree, path)
    if not isinstance(value, dict | list) or node is None or len(path) < 2 or reaches(WHOLE, path):
        return
    seen: dict[tuple[str, int, int], Earlier] = {}
    for layer in done.layers.of(path):
        part = counterpart(done.tree, layer.long, path)
        if part is not None and not is_null(part) and _contributes(done.tree, part, path):
            seen[part.source.path, part.line, part.column] = Earlier(part, None, layer.how)
    if len(seen) > 1:
        yield from seen.values()


def _contributes(tree: Node, part: Node, path: Path) -> bool:
    """Is any of a layer's items in the result?"""
    if part.kind not in (MAPPING, SEQUENCE):
        return True
    return any(counterpart(tree, tree, (*path, step)) is not None for step in (part.value if part.kind == MAPPING else [0]))


def _gone(done: Study, route: list[Step]) -> list[Found]:
    """What only a layer has."""
    service = route[1].text if len(route) > 1 else ""
    for layer in [*done.layers.of(()), *done.layers.of(("services", service))]:
        for path in find(plain(layer.long), route):
            return [Found(path, tuple(removed(done, path)))]
    return []


def _unset(data: dict[str, Any], route: list[Step]) -> list[Found]:
    """What the specification knows and no file says."""
    for prefix, rest in _beyond(data, route):
        path = prefix
        for step in rest:
            if step.text not in (known_names(path) or ()):
                break
            path = (*path, step.text)
        else:
            default = exactly(UNSET, path)
            note = f"{DEFAULT} ({default})" if default else "not in any file, and nothing stands in for it"
            return [Found(path, (Value(path, None, "unset", note=note),))]
    return []


def _beyond(data: dict[str, Any], route: list[Step]) -> Iterator[tuple[Path, list[Step]]]:
    for size in range(len(route) - 1, -1, -1):
        prefixes = list(find(data, route[:size]))
        if prefixes:
            yield from ((prefix, route[size:]) for prefix in prefixes)
            return


def _known(data: dict[str, Any], route: list[Step]) -> Iterator[tuple[Path, list[str]]]:
    for prefix, _ in _beyond(data, route):
        yield prefix, known_names(prefix) or []


__all__ = ["Explanation", "Found", "explain", "shown"]
