"""Where one value came from: its place in a file, the variables in it, what it overrode, and what was taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from composer.spec.dotenv import parse_raw
from composer.spec.explain.defaults import IMPLIED, exactly, words
from composer.spec.explain.layers import at, counterpart, same, tagged
from composer.spec.explain.route import Path
from composer.spec.explain.study import Study, is_null
from composer.spec.explain.uses import Use, uses
from composer.spec.explain.variables import NAME
from composer.spec.merge import UNIQUE, Index
from composer.spec.problems import Problems
from composer.spec.scalars import text_of
from composer.spec.tree import MAPPING, SCALAR, SEQUENCE, Node, Source, plain
from composer.spec.trie import Trie

WHOLE: Trie[bool] = Trie(dict.fromkeys(("services.*.command", "services.*.entrypoint", "services.*.healthcheck.test"), True))
_BY_NAME: Trie[bool] = Trie(dict.fromkeys(("services.*.environment.*", "services.*.build.args.*"), True))
_FROM_FILE = {"environment": "env_file", "labels": "label_file"}
DEFAULT = "not in any file: Compose's default"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A value that did not stay. `how`: the layer it is in; `by`: what took it away (`!reset at ...`), "" for a plain override."""

    node: Node
    value: Any
    how: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the model. `note`: what else is to say, in words.

    `kind`: file, env_file, label_file, flag, variable, default, unset (known, and nobody sets it), or removed.
    """

    path: Path
    value: Any
    kind: str
    node: Node | None = None
    how: str = ""
    note: str = ""
    uses: tuple[Use, ...] = ()
    earlier: tuple[Earlier, ...] = ()


def reaches(table: Trie[bool], path: Path) -> bool:
    """Does the table name this path?"""
    here: Trie[bool] | None = table
    for step in path:
        here = here.next(str(step)) if here is not None else None
    return here is not None and here.here is not None


def leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The single values beneath one; lists that are replaced as a whole, and empty ones, count as single."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not value or not inner or reaches(WHOLE, path):
        yield path, value
        return
    for step, item in inner:
        yield from leaves(item, (*path, step))


def explained(done: Study, path: Path, value: Any) -> Value:
    """The origin of the value at `path` of the model."""
    node = at(done.tree, path)
    if path == ("name",) and (node is None or done.frame.name):
        return _name(done, value, node)
    if node is None:
        node = _holder(done.tree, path)
    if node is None:
        return _outside(done, path, value) or _default(done, path, value)
    how, earlier = _history(done, path, node)
    earlier = [*(one for _, one in _listed(done, path)), *earlier]
    found = tuple(uses(node))
    note = ""
    if reaches(_BY_NAME, path) and is_null(node):
        name = str(path[-1])
        note = "passed on by its name alone" + ("" if name in node.source.lookup else "; it is set nowhere")
        found = (Use(name, name, node, node.source.lookup.get(name)),)
    return Value(path, value, "file", node, how, note, found, tuple(earlier))


def _holder(tree: Node, path: Path) -> Node | None:
    """The scalar that stands for what is printed as something with parts."""
    for size in range(len(path) - 1, 2, -1):
        node = at(tree, path[:size])
        if node is not None:
            return node if node.kind == SCALAR and node.value is not None else None
    return None


def _history(done: Study, path: Path, node: Node) -> tuple[str, list[Earlier]]:
    how, earlier = "", []
    for layer in done.layers.of(path):
        found = counterpart(done.tree, layer.long, path)
        if found is None or (is_null(found) and not reaches(_BY_NAME, path)):
            continue
        if same(found, node):
            how = layer.how
        else:
            earlier.append(Earlier(found, plain(found), layer.how))
    return how, _unrepeated(earlier)


def _unrepeated(earlier: list[Earlier]) -> list[Earlier]:
    return list({(one.node.source.path, one.node.line, one.node.column): one for one in earlier}.values())


def _default(done: Study, path: Path, value: Any) -> Value:
    written = at(done.tree, path[:-1]) is not None
    why = exactly(IMPLIED, path) if written else words(IMPLIED, path)
    return Value(path, value, "default", note=f"{DEFAULT}" + (f" ({why})" if why else ""))


def _name(done: Study, value: Any, written: Node | None) -> Value:
    """The stack's name, when it is not, or not only, in a file."""
    earlier = (Earlier(written, written.value, ""),) if written is not None else ()
    if done.request.name:
        return Value(("name",), value, "flag", note="given by -p (--project-name)", earlier=earlier)
    origins = [one for one in done.variables.sources(NAME, done.frame.environment) if one.settled is False]
    if done.frame.name and origins:
        place = origins[0].place
        return Value(("name",), value, "variable", place, f"the variable {NAME}, {origins[0].kind}", earlier=earlier)
    return Value(("name",), value, "default", note=f"not in any file: the name of the directory {done.frame.directory}")


def _outside(done: Study, path: Path, value: Any) -> Value | None:
    """A variable of an env file, a label of a label file."""
    listed = _listed(done, path)
    if not listed:
        return None
    attribute, last = listed[-1]
    return Value(
        path, value, attribute, last.node, last.how, uses=tuple(uses(last.node)), earlier=tuple(earlier for _, earlier in listed[:-1])
    )


def _listed(done: Study, path: Path) -> list[tuple[str, Earlier]]:
    """What the `env_file`s or `label_file`s of a service say of a variable or label, the last one last."""
    if len(path) != 4 or path[0] != "services" or path[2] not in _FROM_FILE:
        return []
    attribute = _FROM_FILE[str(path[2])]
    return [
        (attribute, Earlier(places[str(path[3])], places[str(path[3])].value, f"{attribute} at {entry.mark}"))
        for entry, places in files_of(done, str(path[1]), attribute)
        if path[3] in places
    ]


def files_of(done: Study, service: str, attribute: str) -> Iterator[tuple[Node, dict[str, Node]]]:
    """The files of a service's `env_file` or `label_file`, in their order, with the places of what they set."""
    listed = at(done.tree, ("services", service, attribute))
    for entry in listed or ():
        node = entry if entry.kind == SCALAR else entry.get("path")
        if node is None:
            continue
        path = node.source.base.resolve(text_of(node.value))
        form = entry.get("format")
        if form is not None and form.value == "raw":
            yield node, _raw(done, path)
        else:
            yield node, done.variables.read((path,), attribute, done.frame.environment)[0].places


def _raw(done: Study, path: str) -> dict[str, Node]:
    content = done.shelf.get(path)
    places: dict[str, Node] = {}
    if content is not None and content.data is not None:
        parse_raw(Source(done.shelf.shown(path), path, content.data), done.frame.environment, Problems(), places)
    return places


def removed(done: Study, path: Path) -> list[Value]:
    """What a layer has at or beneath `path` and the stack has not: taken away by `!reset`, `!override`, or as part of what was replaced."""
    gone: list[tuple[Path, Earlier]] = []
    final = at(done.tree, path)
    layers = done.layers.of(path)
    for number, layer in enumerate(layers):
        node = counterpart(done.tree, layer.long, path) if final is not None else at(layer.long, path)
        if node is None or is_null(node):
            continue
        rules: Trie[Index] | None = UNIQUE
        for step in path:
            rules = rules.next(str(step)) if rules is not None else None
        lost = [(path, node)] if final is None else list(_lost(final, node, path, rules))
        for where, one in lost:
            by = next((_by(tag) for later in layers[number + 1 :] if (tag := tagged(later, where)) is not None), "")
            gone.append((where, Earlier(one, plain(one), layer.how, by)))
    found: dict[Path, list[Earlier]] = {}
    for where, earlier in gone:
        found.setdefault(where, []).append(earlier)
    return [Value(where, None, "removed", earlier=tuple(_unrepeated(was))) for where, was in found.items()]


def _by(tag: Node) -> str:
    return f"{tag.tag} at {tag.mark}"


def _lost(final: Node, layer: Node, path: Path, rules: Trie[Index] | None) -> Iterator[tuple[Path, Node]]:
    if final.kind != layer.kind or reaches(WHOLE, path):
        return
    if layer.kind == MAPPING:
        for key, value in layer.value.items():
            kept = final.get(key)
            if kept is None and not is_null(value):
                yield (*path, key), value
            elif kept is not None:
                yield from _lost(kept, value, (*path, key), rules.next(key) if rules is not None else None)
    elif layer.kind == SEQUENCE:
        index = rules.here if rules is not None else None
        keys = {index(item) for item in final} if index is not None else set()
        for item in layer:
            stays = any(same(item, other) for other in final) or (index is not None and index(item) in keys)
            if not stays:
                yield path, item
