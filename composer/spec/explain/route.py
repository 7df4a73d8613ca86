"""A route: a path into the model as users write it, `services.web.ports[0].target`.

Steps are separated by dots; `[0]`, `.0` and `[*]`, `.*` go into lists; `*` within a name matches names (`services.web-*`). A name that
holds dots needs no quotes where it is clear (`labels.com.example.a`), else `labels["com.example.a"]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from composer.errors import ComposerError
from composer.spec.problems import did_you_mean

Path = tuple[str | int, ...]
_STEP = re.compile(r"""\[(?:"([^"]*)"|'([^']*)'|([^\]]*))\]|"([^"]*)"|'([^']*)'|([^.\[]+)|(.)""", re.DOTALL)
_PLAIN = re.compile(r"[^.\[\]\"'*\s]+")


class NoSuchPath(ComposerError):
    """The model has nothing at the path."""

    code = "spec.no-such-path"


@dataclass(frozen=True, slots=True)
class Step:
    """`exact`: it was quoted, so it is one key and no pattern."""

    text: str
    exact: bool = False


def steps(text: str) -> list[Step]:
    """The steps of a path. NoSuchPath when it is none."""
    found: list[Step] = []
    for match in _STEP.finditer(text.strip().rstrip(".")):
        parts = match.groups()
        if parts[6] == ".":
            continue
        if parts[6] is not None:
            raise NoSuchPath(
                f"'{text}' is no path: '{parts[6]}' at its character {match.start() + 1}", hint="such as services.web.ports[0]"
            )
        said = next(part for part in parts if part is not None)
        found.append(Step(said, all(part is None for part in (parts[2], parts[5]))))
    return found


def find(data: Any, route: list[Step], at: Path = ()) -> Iterator[Path]:
    """Every path in `data` that the route matches."""
    if not route:
        yield at
        return
    step = route[0]
    if isinstance(data, list):
        for index in range(len(data)):
            if step.text == "*" or step.text == str(index):
                yield from find(data[index], route[1:], (*at, index))
        return
    if not isinstance(data, dict):
        return
    for size in range(1, len(route) + 1):
        name = ".".join(one.text for one in route[:size])
        if name in data:
            found = list(find(data[name], route[size:], (*at, name)))
            if found:
                yield from found
                return
        if route[size - 1].exact:
            break
    if "*" in step.text and not step.exact:
        for name in data:
            if fnmatchcase(name, step.text):
                yield from find(data[name], route[1:], (*at, name))


def refuse(data: Any, text: str, route: list[Step], known: dict[Path, list[str]]) -> NoSuchPath:
    """Why a route leads nowhere. `known`: names that could stand at a path beside those in `data`."""
    at: Path = ()
    here = data
    for index, step in enumerate(route):
        further = list(find(here, [step]))
        if not further:
            return _lost(at, here, step, route[index:], data, known)
        here, at = _inside(here, further[0]), (*at, *further[0])
    return NoSuchPath(f"nothing is at '{text}'")


def _lost(at: Path, here: Any, step: Step, rest: list[Step], data: Any, known: dict[Path, list[str]]) -> NoSuchPath:
    where = shown(at) if at else "the stack"
    if isinstance(here, list):
        size = f"it has {len(here)} items, [0] to [{len(here) - 1}]" if here else "it is empty"
        return NoSuchPath(f"{where} has no item '{step.text}'", hint=size)
    if not isinstance(here, dict):
        return NoSuchPath(f"nothing is beneath {where}: it is the value {here!r}", hint=f"ask for {where}" if at else None)
    services = data.get("services") or {}
    if not at and step.text in services:
        return NoSuchPath(
            f"the stack has no '{step.text}' at its top", hint=f"did you mean '{shown(('services', step.text))}{_tail(rest)}'?"
        )
    names = list(dict.fromkeys([*here, *known.get(at, ())]))
    hint = did_you_mean(step.text, names)
    if hint:
        right = hint.split("'")[1]
        hint = f"did you mean '{shown((*at, right))}{_tail(rest)}'?"
    elif here:
        hint = f"it has: {', '.join(list(here)[:20])}"
    return NoSuchPath(f"{where} has no '{step.text}'", hint=hint or None)


def _tail(rest: list[Step]) -> str:
    return "".join(f".{one.text}" for one in rest[1:])


def _inside(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def shown(path: Path) -> str:
    """The path as it can be given to `--explain` again."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            out += f".{step}"
        else:
            out += f'["{step}"]'
    return out.lstrip(".")
