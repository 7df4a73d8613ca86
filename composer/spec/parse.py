"""YAML text to Node trees: our own loop over libyaml's events.

libyaml tokenises; everything that makes YAML dangerous or vague is decided here: scalars by `scalars.resolve`, duplicate keys refused,
aliases and merge keys (`<<`) resolved by sharing nodes, their expanded size bounded, the depth bounded. `yaml.compose` recurses in C and
dies on 100,000 `[`; `get_event` does not recurse, and looks ahead 1,024 characters at most, so leaving the loop at `DEPTH` bounds it too.
Source: YAML 1.2.2; the merge key of YAML 1.1 (yaml.org/type/merge.html).
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import yaml

from composer.spec.problems import Problems
from composer.spec.scalars import resolve, text_of
from composer.spec.tree import MAPPING, SCALAR, SEQUENCE, Node, Source

BYTES = 8 * 1024 * 1024  # the largest stack file that is read
DEPTH = 100
NODES = 1_000_000  # values after aliases are followed
_YAML = "tag:yaml.org,2002:"
_KEPT = ("!reset", "!override")


class _Stop(Exception):
    """Parsing cannot go on; the finding is already noted."""


class _Open:
    """A mapping or sequence that is being filled."""

    __slots__ = ("anchor", "key", "merges", "node", "size")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Node | None = None
        self.merges: list[Node] = []
        self.size = 1


def parse(source: Source, problems: Problems) -> list[Node]:
    """The documents of a file, empty ones left out. Findings go to `problems`; what could be read of the file is returned."""
    if len(source.data) > BYTES:
        problems.error("spec.too-large", f"{source.name} is larger than {BYTES // 1024 // 1024} MiB", hint="is it a stack file?")
        return []
    parser = _Parser(source, problems)
    try:
        loader = yaml.CSafeLoader(source.data)
        try:
            parser.run(loader)
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        problems.error("spec.encoding", f"{source.name} is no text file: {error.reason}", hint="YAML is UTF-8 text")
        return []
    except yaml.MarkedYAMLError as error:
        _syntax(source, error, problems)
        return []
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        problems.error("spec.syntax", f"{source.name} is not YAML: {str(error)[:200]}")
        return []
    except _Stop:
        return []
    return parser.documents


class _Parser:
    def __init__(self, source: Source, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.documents: list[Node] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.budget = NODES

    def run(self, loader: Any) -> None:
        steps = {
            yaml.ScalarEvent: self.scalar,
            yaml.MappingStartEvent: self.open,
            yaml.SequenceStartEvent: self.open,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.DocumentStartEvent: self.document,
        }
        get = loader.get_event
        for _ in range(3 * NODES):  # an event for each scalar, two for each collection
            event = get()
            step = steps.get(type(event))
            if step is not None:
                step(event)
            elif event is None or type(event) is yaml.StreamEndEvent:
                return
        self.problems.error("spec.too-large", f"{self.source.name} holds more than {NODES} values", hint="is it a stack file?")
        raise _Stop

    def document(self, event: Any) -> None:
        self.anchors = {}
        if event.version is not None and tuple(event.version) != (1, 1):
            self.stop("spec.yaml-version", "this file asks for another version of YAML", event, "leave the %YAML line out")

    def node(self, kind: int, value: Any, event: Any) -> Node:
        mark = event.start_mark
        return Node(kind, value, self.source, mark.line + 1, mark.column + 1)

    def scalar(self, event: Any) -> None:
        mark, text, tag = event.start_mark, event.value, event.tag
        value = resolve(text) if tag is None and event.implicit[0] else text
        node = Node(SCALAR, value, self.source, mark.line + 1, mark.column + 1, text, not event.style, "$" in text)
        if tag is not None:
            self.tagged(node, tag, text, event.implicit[0])
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1)
        self.place(node)

    def tagged(self, node: Node, tag: str, text: str, is_plain: bool) -> None:
        kind = tag.removeprefix(_YAML) if tag.startswith(_YAML) else ""
        if kind in ("int", "float", "bool", "null", "timestamp") or (is_plain and tag == "!"):
            node.value = resolve(text)
        if kind == "binary":
            self.binary(node, text)
        if tag in _KEPT:
            node.tag = tag
            node.value = resolve(text) if node.plain else text
        node.live = "$" in text or tag in _KEPT

    def binary(self, node: Node, text: str) -> None:
        try:
            node.value = b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except ValueError:
            self.problems.error("spec.binary", "!!binary contains invalid base64 data", node, "quote a text that is meant as it is")

    def open(self, event: Any) -> None:
        if len(self.stack) >= DEPTH:
            self.stop("spec.too-deep", f"the file is nested deeper than {DEPTH} levels", event, "is it a stack file?")
        if type(event) is yaml.MappingStartEvent:
            node = self.node(MAPPING, {}, event)
            node.keys = {}
        else:
            node = self.node(SEQUENCE, [], event)
        if event.tag in _KEPT:
            node.tag = event.tag
            node.live = True
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # until it is closed, an alias to it would be a cycle
        self.stack.append(_Open(node, event.anchor))

    def close(self, event: Any) -> None:
        done = self.stack.pop()
        if done.merges:
            self.merge(done)
        size = done.size + len(done.node.value)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.node, size)
        self.grow(size, done.node)
        self.place(done.node)

    def alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self.anchors:
            self.stop("spec.unknown-alias", f"unknown anchor '{name}'", event, "an alias needs its anchor (&name) further up in the file")
        found = self.anchors[name]
        if found is None:
            self.stop("spec.alias-cycle", f"the alias '{name}' is inside of what it stands for: a cycle", event)
        assert found is not None
        self.grow(found[1], found[0])
        self.place(found[0])

    def grow(self, size: int, node: Node) -> None:
        """Counts what a collection or an alias holds to what it stands in."""
        if self.stack:
            self.stack[-1].size += size
        if size > self.budget or (self.stack and self.stack[-1].size > self.budget):
            self.problems.error("spec.too-large", f"the aliases of this file expand to more than {NODES} values", node)
            raise _Stop

    def place(self, node: Node) -> None:
        """Puts a finished value where it belongs: as a document, an item, a key, or a key's value."""
        if not self.stack:
            if not (node.kind == SCALAR and node.value is None):
                self.documents.append(node)
            return
        top = self.stack[-1]
        into = top.node
        if into.kind == SEQUENCE:
            into.value.append(node)
            into.live = into.live or node.live
        elif top.key is None:
            top.key = node
        else:
            key, top.key = top.key, None
            self.pair(top, key, node)

    def pair(self, top: _Open, key: Node, value: Node) -> None:
        into = top.node
        name = key.value
        if not isinstance(name, str):
            shown = text_of(name) if key.kind == SCALAR else "a list or mapping"
            self.problems.error(
                "spec.key", f"a key must be a string, not {shown or 'nothing'}", key, f'quote it: "{shown}"' if shown else ""
            )
            return
        assert into.keys is not None
        if name in into.keys:
            first = into.keys[name].line
            self.problems.error("spec.duplicate-key", f"duplicate key '{name}' in this mapping", key, f"already defined at line {first}")
            return
        into.keys[name] = key
        if name == "<<" and key.plain:
            top.merges.append(value)
            return
        into.value[name] = value
        into.live = into.live or value.live

    def merge(self, done: _Open) -> None:
        """Takes in the mappings under `<<`: what is written in the mapping itself wins, then the first that has the key."""
        into = done.node
        assert into.keys is not None
        into.keys.pop("<<", None)
        for wanted in done.merges:
            for other in wanted.value if wanted.kind == SEQUENCE else [wanted]:
                if other.kind != MAPPING:
                    self.problems.error("spec.merge-key", "`<<` takes a mapping, or a list of mappings", other, "such as `<<: *anchor`")
                    continue
                self.budget -= len(other.value)
                for name, value in other.value.items():
                    if name not in into.value or into.value[name].tag == "!reset":
                        into.value[name] = value
                        into.keys[name] = other.key(name)
                        into.live = into.live or value.live

    def stop(self, code: str, message: str, event: Any, hint: str = "") -> None:
        self.problems.error(code, message, self.node(SCALAR, None, event), hint)
        raise _Stop


def _syntax(source: Source, error: yaml.MarkedYAMLError, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    if mark and error.context_mark and not (source.line(mark.line + 1) or "").strip():
        mark = error.context_mark  # the end of the file says nothing: show where the unfinished thing begins
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    where = Node(SCALAR, None, source, line, column)
    text = source.line(line) or ""
    indent = text[: len(text) - len(text.lstrip())]
    if "\t" in indent:
        where = Node(SCALAR, None, source, line, indent.index("\t") + 1)
        problems.error("spec.tab", "a tab stands in the indentation", where, "YAML is indented with spaces only")
        return
    begun = ""
    if error.context and error.context_mark and error.context_mark.line + 1 != line:
        begun = f"{error.context} that begins at line {error.context_mark.line + 1}"
    elif error.context:
        begun = str(error.context)
    problems.error(
        "spec.syntax",
        f"this is not YAML: {error.problem}" + (f" ({begun})" if begun else ""),
        where,
        _advice(str(error.problem), source, line, column),
    )


def _advice(problem: str, source: Source, line: int, column: int) -> str:
    above, text = source.line(line - 1) or "", source.line(line) or ""
    if "mapping values are not allowed" in problem:
        key, colon, rest = above.strip().partition(":")
        if colon and key and " " not in key and rest and not rest.startswith((" ", "/")):
            return f"put a space behind the colon in line {line - 1}"
        return "quote a value that holds ': ', and check the indentation"
    if "expected ',' or" in problem:
        return "a bracket is not closed, or a comma is missing"
    if "unexpected end of stream" in problem:
        return "a quote is not closed"
    if text[column - 2 : column - 1] in ("'", '"') and text[column - 1 : column].strip():
        return "the quote ends the value: write '' for a ' inside of '...', \\\" for a \" inside of \"...\""
    if "block mapping" in problem or "block end" in problem or "block collection" in problem or "expected key" in problem:
        return "check the indentation of this line and of those above"
    if "cannot start any token" in problem:
        return "quote a value that begins with this character"
    return "documents are separated by a line with '---'" if "<document start>" in problem else ""
