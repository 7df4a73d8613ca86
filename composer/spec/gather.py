"""All files of a stack as one tree: documents, override files, `extends` and `include`, each file read once.

What an included or extended file says keeps that file's own base directory and variables (its nodes' `source` has them), so trees can be
merged as they are written and paths resolved at the very end. Source: Compose Specification, chapters "include" and "extends".
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace

from composer.spec.interpolate import interpolate
from composer.spec.merge import merge, merge_services, unique, untagged
from composer.spec.parse import parse
from composer.spec.problems import Problems, did_you_mean
from composer.spec.project import read_env
from composer.spec.scalars import text_of
from composer.spec.schema import validate, validate_part
from composer.spec.shelf import Shelf
from composer.spec.trace import Extended, Included, Trace
from composer.spec.tree import MAPPING, SCALAR, SEQUENCE, Base, Node, Source, plain

INCLUDES = 1000  # files that one stack may include
EXTENDS = 100  # how long a chain of `extends` may be
SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "models")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is read: what its paths stand on, which variables it sees, and the steps that led to it."""

    base: Base
    lookup: Mapping[str, str]
    chain: tuple[str, ...] = ()
    included: tuple[str, ...] = ()


class Gathering:
    """The state of one load while its files come together. `used`: the variables that were seen to be set, with their values.

    `trace`: remembers where things came from, for who asks to have them explained; None costs nothing.
    """

    def __init__(self, shelf: Shelf, problems: Problems, interpolates: bool = True, trace: Trace | None = None) -> None:
        self.shelf = shelf
        self.problems = problems
        self.interpolates = interpolates
        self.used: dict[str, str] = {}
        self.trace = trace
        self._raw: dict[tuple[str, str, int], list[Node]] = {}
        self._trees: dict[tuple[tuple[str, ...], str, int], Node | None] = {}
        self._lookups: dict[tuple[tuple[str, ...], int], Mapping[str, str]] = {}
        self._files: dict[tuple[str, str, int], list[Node]] = {}

    def stack(self, paths: tuple[str, ...], place: Place) -> Node | None:
        """The tree of files merged in order, free of what is wrong in it; None when there is nothing."""
        tree: Node | None = None
        for path in paths:
            for document in self.documents(path, place, None):
                tree = self._add(tree, document, path, place)
        return tree

    def _add(self, tree: Node | None, document: Node, path: str, place: Place) -> Node:
        before = len(self.problems.errors)
        services = document.get("services")
        if services is not None and services.kind != MAPPING and services.tag is None:
            self.problems.error("spec.type", "services must be a mapping", services, "each service by its name")
        document = self._extends(document, tree, path, place)
        own = document
        document = self._include(document, replace(place, included=(*place.included, path)))
        if self.trace is not None:
            self.trace.documents.append(own)  # after those that it includes
        tree = untagged(document) if tree is None else merge(tree, document, self.problems)
        tree = validate(unique(tree), self.problems)
        if "version" in tree.value:
            message = "the attribute `version` is obsolete, it will be ignored"
            self.problems.warn("spec.version", message, tree.key("version"), "remove it")
            tree = tree.without("version")
        if not tree.value and len(self.problems.errors) == before:
            self.problems.error(
                "spec.empty", f"empty compose file: {self.shelf.shown(path)}", tree, "a stack file has at least 'services:'"
            )
        return tree

    def documents(self, path: str, place: Place, asked: Node | None) -> list[Node]:
        """The documents of a file, variables filled in. `asked`: the node that names the file, for when it is not there."""
        key = (path, place.base.directory, id(place.lookup))
        if key not in self._files:
            raw = self.raw(path, place, asked)
            done = [interpolate(document, place.lookup, self.problems, self.used) for document in raw] if self.interpolates else raw
            self._files[key] = done
        return self._files[key]

    def raw(self, path: str, place: Place, asked: Node | None = None) -> list[Node]:
        """The documents of a file as they are written."""
        key = (path, place.base.directory, id(place.lookup))
        if key not in self._raw:
            self._raw[key] = self._read(path, place, asked)
        return self._raw[key]

    def _read(self, path: str, place: Place, asked: Node | None) -> list[Node]:
        content, name = self.shelf.get(path), self.shelf.shown(path)
        if content is None:
            return []
        if content.data is None:
            what = "no such file or directory" if content.missing else content.why
            self.problems.error("spec.no-file", f"open {name}: {what}", asked, "" if asked else "check the path given with -f")
            return []
        source = Source(name, path, content.data, place.chain, place.base, place.lookup)
        before = len(self.problems.errors)
        documents = parse(source, self.problems)
        if not documents and len(self.problems.errors) == before and asked is None and not place.included:
            self.problems.error("spec.empty", f"empty compose file: {name}", asked, "a stack file has at least 'services:'")
        good = [document for document in documents if document.kind == MAPPING]
        for document in documents:
            if document.kind != MAPPING:
                hint = "such as 'services:' and what it holds"
                self.problems.error("spec.type", "the top-level object must be a mapping", document, hint)
        return good

    def written(self) -> list[Node]:
        """Every document that was read, as it is written, once."""
        return list({(n.source.path, n.line, n.column, id(n.source.lookup)): n for done in self._raw.values() for n in done}.values())

    # extends

    def _extends(self, document: Node, tree: Node | None, path: str, place: Place) -> Node:
        services = document.get("services")
        if services is None or services.kind != MAPPING:
            return document
        known = tree.get("services") if tree is not None else None
        resolver = _Extends(self, services, known, path, place)
        done = {name: resolver.service(name, (), service) for name, service in services.value.items()}
        if all(done[name] is services.value[name] for name in done):
            return document
        resolved = services.mapping(done)
        resolved.live = services.live
        document = document.with_item("services", resolved)
        document.live = True
        return document

    # include

    def _include(self, document: Node, place: Place) -> Node:
        include = document.get("include")
        if include is None:
            return document
        document = _alive(document.without("include"), document)
        if include.kind == SCALAR and include.value is None:
            return document
        if include.kind != SEQUENCE:
            self.problems.error("spec.type", f"`include` must be a list, not {text_of(include.value)[:40] or 'a mapping'}", include)
            return document
        checked = validate_part(include.sequence([_said(entry) for entry in include.value]), ("include",), self.problems)
        for entry in checked or ():
            other = self._included(entry, place)
            if other is not None:
                document = _alive(self._import(document, other, entry), document)
        return document

    def _included(self, entry: Node, place: Place) -> Node | None:
        paths = _paths(entry if entry.kind == SCALAR else entry.get("path"))
        if not paths:
            self.problems.error("spec.missing", "this include names no file", entry, "add 'path'")
            return None
        files = tuple(place.base.resolve(text_of(node.value)) for node in paths)
        for file, node in zip(files, paths, strict=True):
            if file in place.included:
                steps = " -> ".join(self.shelf.shown(step) for step in (*place.included, file))
                self.problems.error("spec.include-cycle", f"include cycle detected: {steps}", node)
                return None
            content = self.shelf.get(file)
            if content is not None and content.data is None:
                what = "no such file or directory" if content.missing else content.why
                self.problems.error("spec.no-file", f"cannot include {self.shelf.shown(file)}: {what}", node)
                return None
        inner = self._include_place(entry, files[0], place)
        return self._included_stack(files, inner, entry) if inner else None

    def _included_stack(self, files: tuple[str, ...], place: Place, entry: Node) -> Node | None:
        """The tree of an include. What two files include in the same way is gathered once: else a ladder of them doubles at each step."""
        key = (files, place.base.directory, id(place.lookup))
        if key not in self._trees:
            if len(self._trees) >= INCLUDES:
                self.problems.error(
                    "spec.too-many-includes", f"more than {INCLUDES} files are included", entry, "is it a ladder of includes?"
                )
                return None
            self._trees[key] = None
            self._trees[key] = self.stack(files, place)
        return self._trees[key]

    def _include_place(self, entry: Node, first: str, place: Place) -> Place | None:
        directory = entry.get("project_directory")
        root = place.base.resolve(text_of(directory.value)) if directory and directory.value else posixpath.dirname(first)
        listed = _paths(entry.get("env_file"))
        named = tuple(text_of(node.value) for node in listed)
        paths = tuple(place.base.resolve(path) for path in named) if named else (posixpath.join(root, ".env"),)
        extra = read_env(paths, place.lookup, self.shelf, self.problems, required=bool(named))
        if extra is None:
            return None
        same = (paths, id(place.lookup))
        lookup = self._lookups.setdefault(same, {**extra, **place.lookup} if extra.keys() - place.lookup.keys() else place.lookup)
        if self.trace is not None:
            self.trace.included.append(Included(lookup, place.lookup, paths, entry))
        step = f"included by {entry.mark}"
        return Place(Base(root, place.base.home), lookup, (*place.chain, step), place.included)

    def _import(self, document: Node, other: Node, entry: Node) -> Node:
        for section in SECTIONS:
            theirs, ours = other.get(section), document.get(section)
            if theirs is None or theirs.kind != MAPPING:
                continue
            if ours is None or ours.kind != MAPPING:
                document = document.mapping({**document.value, section: theirs}, {**(document.keys or {}), section: other.key(section)})
                continue
            for name in theirs.value.keys() & ours.value.keys():
                if theirs.value[name] is not ours.value[name] and plain(theirs.value[name]) != plain(ours.value[name]):
                    message = f"{section}.{name} conflicts with imported resource: it is defined at {theirs.key(name).mark}, too"
                    self.problems.error("spec.include-conflict", message, ours.key(name), "change what is included in an override file")
            together = ours.mapping({**theirs.value, **ours.value}, {**(theirs.keys or {}), **(ours.keys or {})})
            document = document.with_item(section, _alive(together, ours))
        return document


class _Extends:
    """Resolves `extends` among the services of one document."""

    def __init__(self, gathering: Gathering, services: Node, earlier: Node | None, path: str, place: Place) -> None:
        self.gathering = gathering
        self.services = services
        self.earlier = earlier
        self.path = path
        self.place = place
        self._done: dict[str, Node] = {}
        self._is_deep = False  # one word about a chain that is too long is enough

    def service(self, name: str, seen: tuple[tuple[str, str], ...], service: Node) -> Node:
        if name in self._done:
            return self._done[name]
        extends = service.get("extends")
        if extends is None:
            return service
        own = _alive(service.without("extends"), service)
        if extends.tag == "!reset":
            return own
        if self._is_deep:
            self.gathering.problems.spoilt.add(f"services.{name}")
            return own
        if len(seen) > EXTENDS:
            self._is_deep = True
            self.gathering.problems.error(
                "spec.extends-deep", f"more than {EXTENDS} services extend one another", extends, "shorten the chain"
            )
            self.gathering.problems.spoilt.update(f"services.{one}" for _, one in seen)
            return own
        done = self._merged(name, (*seen, (self.path, name)), own, extends)
        if done is None:
            self.gathering.problems.spoilt.add(f"services.{name}")
            return own
        self._done[name] = done
        return done

    def _merged(self, name: str, seen: tuple[tuple[str, str], ...], own: Node, extends: Node) -> Node | None:
        problems = self.gathering.problems
        checked = validate_part(_said(extends), ("services", "*", "extends"), problems)
        if checked is None:
            return None
        target = checked if checked.kind == SCALAR else checked.value["service"]
        file = checked.get("file")
        elsewhere = file is not None and text_of(file.value) != ""
        base = self._there(name, target, file, seen) if file is not None and elsewhere else self._here(name, target, seen)
        if base is None:
            return None
        merged = merge_services(untagged(base), own, problems)
        if self.gathering.trace is not None:
            self.gathering.trace.extended[id(merged)] = Extended(merged, base, own, target)
        return merged

    def _here(self, name: str, target: Node, seen: tuple[tuple[str, str], ...]) -> Node | None:
        wanted = text_of(target.value)
        if (self.path, wanted) in seen:
            self._cycle(target, (*seen, (self.path, wanted)))
            return None
        found = self.services.get(wanted)
        if found is None and self.earlier is not None and self.earlier.get(wanted) is not None:
            return self.earlier.get(wanted)
        if found is None or found.kind != MAPPING:
            self._unknown(name, target, self.services, self.gathering.shelf.shown(self.path))
            return None
        return self.service(wanted, seen, found)

    def _there(self, name: str, target: Node, file: Node, seen: tuple[tuple[str, str], ...]) -> Node | None:
        gathering = self.gathering
        wanted, path = text_of(target.value), file.source.base.resolve(text_of(file.value))
        if (path, wanted) in seen:
            self._cycle(target, (*seen, (path, wanted)))
            return None
        step = f"extended by the service '{name}' at {file.mark}"
        base = Base(posixpath.dirname(path), self.place.base.home)
        place = Place(base, self.place.lookup, (*self.place.chain, step))
        documents = gathering.documents(path, place, file)
        if not documents:
            return None
        tree = documents[0]
        for more in documents[1:]:
            tree = merge(tree, more, gathering.problems)
        services = tree.get("services")
        found = services.get(wanted) if services else None
        if services is None or found is None or found.kind != MAPPING:
            self._unknown(name, target, services or tree, gathering.shelf.shown(path))
            return None
        return _Extends(gathering, services, None, path, place).service(wanted, seen, found)

    def _unknown(self, name: str, target: Node, services: Node, where: str) -> None:
        wanted = text_of(target.value)
        hint = did_you_mean(wanted, services.value, listed="services there: ") if services.kind == MAPPING else ""
        message = f'cannot extend service "{name}": service "{wanted}" not found in {where}'
        self.gathering.problems.error("spec.unknown-service", message, target, hint)

    def _cycle(self, target: Node, steps: tuple[tuple[str, str], ...]) -> None:
        self.gathering.problems.spoilt.update(f"services.{name}" for _, name in steps)
        shown = " extends ".join(f"'{name}' in {self.gathering.shelf.shown(path)}" for path, name in steps)
        self.gathering.problems.error("spec.extends-cycle", f"circular reference in extends: {shown}", target)


def _paths(node: Node | None) -> list[Node]:
    if node is None:
        return []
    return [item for item in (node.value if node.kind == SEQUENCE else [node]) if isinstance(item.value, str) and item.value]


def _said(node: Node) -> Node:
    """The mapping without notes (`x-`), and without what is empty."""
    if node.kind != MAPPING:
        return node
    return node.mapping({key: value for key, value in node.value.items() if not key.startswith("x-") and value.value is not None})


def _alive(node: Node, like: Node) -> Node:
    """The node, marked as one that may hold tags when `like` was."""
    node.live = node.live or like.live
    node.tag = like.tag
    return node
