"""The layers of a stack: each document, and each service that another one extends, in the order in which they were merged.

A layer is kept as it was written (with its `!reset` and `!override` tags) and in long form, so that one path means the same in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from composer.spec.explain.route import Path
from composer.spec.merge import UNIQUE, Index, unique, untagged
from composer.spec.problems import Problems
from composer.spec.read import Request
from composer.spec.scalars import text_of
from composer.spec.schema import validate
from composer.spec.short import lengthen
from composer.spec.trace import Trace
from composer.spec.tree import MAPPING, Node, plain
from composer.spec.trie import Trie


@dataclass(frozen=True, slots=True)
class Layer:
    """`how`: why it counts (`override file (-f, 2 of 2)`, `extended by ...`); "" for the first file itself."""

    how: str
    written: Node
    long: Node


class Layers:
    """The layers of one load."""

    def __init__(self, trace: Trace, files: tuple[str, ...], request: Request) -> None:
        self.trace = trace
        self.files = files
        self.request = request
        self._done: dict[str, list[Layer]] = {}

    def of(self, path: Path) -> list[Layer]:
        """Those that may say something at `path`, the first written first."""
        service = str(path[1]) if len(path) > 1 and path[0] == "services" else ""
        if service not in self._done:
            self._done[service] = list(self._service(service) if service else self._documents())
        return self._done[service]

    def _documents(self) -> Iterator[Layer]:
        for document in self.trace.documents:
            yield _layer(self._how(document), document)

    def _service(self, name: str) -> Iterator[Layer]:
        for document in self.trace.documents:
            services = document.get("services")
            service = services.get(name) if services is not None else None
            if services is None or service is None:
                continue
            for how, part in self._parts(service, ""):
                key = services.key(name) if part is service else part
                alone = services.mapping({name: part}, {name: key})
                alone.tag = services.tag
                whole = document.mapping({"services": alone})
                alone.live = whole.live = True  # there may be tags below
                yield _layer(how or self._how(document), whole)

    def _parts(self, service: Node, how: str) -> Iterator[tuple[str, Node]]:
        """A service, and before it those that it extends."""
        step = self.trace.extended.get(id(service))
        if step is None:
            yield how, service
            return
        yield from self._parts(step.base, f"service '{text_of(step.target.value)}', extended at {step.target.mark}")
        yield how, step.own

    def _how(self, document: Node) -> str:
        path = document.source.path
        if document.source.chain or path not in self.files or len(self.files) == 1:
            return ""
        number = self.files.index(path) + 1
        named = "-f" if self.request.files else "COMPOSE_FILE" if self.request.environment.get("COMPOSE_FILE") else ""
        if not named:
            return "" if number == 1 else "override file, found beside the first"
        return f"{'first' if number == 1 else 'override'} file, {named} {number} of {len(self.files)}"


def _layer(how: str, written: Node) -> Layer:
    apart = Problems()  # the load has said what is wrong
    return Layer(how, written, unique(lengthen(validate(untagged(written), apart), apart)))


def at(tree: Node, path: Path) -> Node | None:
    """The node at `path`, or None."""
    for step in path:
        if tree.kind == MAPPING:
            found = tree.value.get(step)
        else:
            found = tree.value[step] if isinstance(tree.value, list) and isinstance(step, int) and step < len(tree.value) else None
        if found is None:
            return None
        tree = found
    return tree


def same(a: Node, b: Node) -> bool:
    """Do two nodes stand at the same place?"""
    return a.line == b.line and a.column == b.column and a.source.path == b.source.path


def counterpart(final: Node, layer: Node, path: Path) -> Node | None:
    """What a layer has where the final tree has `path`: items of lists are matched by their place in the file, then by what they are."""
    rules: Trie[Index] | None = UNIQUE
    for step in path:
        found = _item(final, layer, step, rules) if isinstance(step, int) else layer.get(step)
        inner = at(final, (step,))
        if found is None or inner is None:
            return None
        final, layer = inner, found
        rules = rules.next(str(step)) if rules is not None else None
    return layer


def _item(final: Node, layer: Node, number: int, rules: Trie[Index] | None) -> Node | None:
    wanted = at(final, (number,))
    if wanted is None:
        return None
    there = [item for item in layer if same(item, wanted)]
    if there:
        return next((item for item in there if plain(item) == plain(wanted)), there[0])
    index = rules.here if rules is not None else None
    key = index(wanted) if index is not None else None
    return next((item for item in layer if index is not None and index(item) == key), None) if key is not None else None


def tagged(layer: Layer, path: Path) -> Node | None:
    """The node with a `!reset` or `!override` at the path or above it, in what a layer has written."""
    node: Node | None = layer.written
    for step in path:
        if node is None or node.kind != MAPPING:
            return None
        node = node.get(str(step))
        if node is not None and node.tag in ("!reset", "!override"):
            return node
    return None
