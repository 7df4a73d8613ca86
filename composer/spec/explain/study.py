"""A load done with all its traces kept: what `--explain` and `--explain-variable` look at."""

from __future__ import annotations

from dataclasses import dataclass

from composer.spec.explain.layers import Layers
from composer.spec.explain.variables import Variables
from composer.spec.gather import Gathering, Place
from composer.spec.load import name_from
from composer.spec.merge import unique
from composer.spec.problems import Problems
from composer.spec.project import Frame, frame
from composer.spec.read import Need, Request
from composer.spec.shelf import Shelf
from composer.spec.short import lengthen
from composer.spec.trace import Trace
from composer.spec.tree import MAPPING, SCALAR, Node, Source


@dataclass(frozen=True, slots=True)
class Study:
    """`tree`: all files merged, in long form; paths and passed variables as they are written. `documents`: each file as it is written."""

    request: Request
    frame: Frame
    shelf: Shelf
    name: str
    tree: Node
    documents: list[Node]
    layers: Layers
    variables: Variables
    problems: Problems


def study(request: Request) -> Study | Need:
    """Need: call again with those contents. What is wrong with the files is in `problems`; SpecError only when there is no file."""
    problems, shelf = Problems(), Shelf(request)
    found = frame(request, shelf, problems)
    if found is None:
        return Need(tuple(shelf.wanted))
    trace = Trace()
    gathering = Gathering(shelf, problems, trace=trace)
    place = Place(found.base, found.environment)
    name = found.name or name_from(gathering, found, place, problems)
    found.environment["COMPOSE_PROJECT_NAME"] = name
    tree = gathering.stack(found.files, place)
    if shelf.wanted:
        return Need(tuple(shelf.wanted))
    if not gathering.written():
        problems.raise_if_any()
    nothing = Node(MAPPING, {}, Source("", "", b""), 1, 1)
    return Study(
        request,
        found,
        shelf,
        name,
        unique(lengthen(tree or nothing, Problems())),
        gathering.written(),
        Layers(trace, found.files, request),
        Variables(request, found, shelf, trace),
        problems,
    )


def is_null(node: Node) -> bool:
    """Nothing was written here."""
    return node.kind == SCALAR and node.value is None
