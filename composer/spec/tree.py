"""The tree of a stack file: Nodes that know where they stand.

A `Source` is one file as it was read; a `Node` is one value in it (scalar, mapping or sequence) with its line and column. Nodes are never
changed once parsing is over: every step (interpolation, merging, short syntax) makes new nodes that carry the marks of those they
came from, so that an error found at the end still points at the characters that caused it. Nodes may be shared (aliases).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from composer.errors import Diagnostic, Mark

SCALAR, MAPPING, SEQUENCE = 0, 1, 2
SHOWN = 200  # columns of a line that a diagnostic shows
_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"


@dataclass(frozen=True, slots=True)
class Base:
    """What relative paths and `~` in a file stand on; both absolute."""

    directory: str
    home: str

    def resolve(self, path: str) -> str:
        """`path` made absolute and free of `.` and `..`; absolute paths are left as they are written, Windows' too."""
        if not path or path[0] == "/" or _is_windows(path):
            return path
        if path == "~" or path.startswith("~/"):
            path = self.home + path[1:]
        joined = posixpath.normpath(posixpath.join(self.directory, path))
        return joined[1:] if joined.startswith("//") else joined


class Source:
    """A file's text, and how to read it.

    `name`: as the user knows it. `path`: absolute. `base`: what its relative paths stand on. `lookup`: the variables it sees.
    `chain`: the include and extends steps that led to it.
    """

    __slots__ = ("_lines", "base", "chain", "data", "lookup", "name", "path")

    def __init__(
        self,
        name: str,
        path: str,
        data: bytes,
        chain: tuple[str, ...] = (),
        base: Base | None = None,
        lookup: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.data = data
        self.chain = chain
        self.base = base or Base(posixpath.dirname(path), "/")
        self.lookup: Mapping[str, str] = lookup if lookup is not None else {}
        self._lines: list[str] | None = None

    def line(self, number: int) -> str | None:
        """The text of a line (from 1), or None when there is no such line."""
        if self._lines is None:
            self._lines = re.split(_BREAK, decode(self.data))
        return self._lines[number - 1] if 0 < number <= len(self._lines) else None


def _is_windows(path: str) -> bool:
    return path.startswith("\\\\") or (path[1:2] == ":" and path[2:3] in ("/", "\\") and path[0].isascii() and path[0].isalpha())


def decode(data: bytes) -> str:
    """Text of a YAML stream by its byte order mark; wrong bytes become replacement characters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


class Node:
    """One value. `keys`: for mappings, the key nodes by key. `plain`: an unquoted scalar. `live`: holds a `$` or a tag somewhere below."""

    __slots__ = ("column", "keys", "kind", "line", "live", "plain", "raw", "source", "tag", "value")

    def __init__(
        self,
        kind: int,
        value: Any,
        source: Source,
        line: int,
        column: int,
        raw: str = "",
        plain: bool = True,
        live: bool = False,
        keys: dict[str, Node] | None = None,
        tag: str | None = None,
    ) -> None:
        self.kind = kind
        self.value = value
        self.source = source
        self.line = line
        self.column = column
        self.raw = raw
        self.plain = plain
        self.live = live
        self.keys = keys
        self.tag = tag

    @property
    def mark(self) -> Mark:
        return Mark(self.source.name, self.line, self.column)

    @property
    def width(self) -> int:
        """How many columns the value takes on its first line."""
        if self.kind != SCALAR or not self.raw:
            return 1
        text = self.raw.split("\n", 1)[0]
        return len(text) if self.plain else len(text) + 2

    def get(self, key: str) -> Node | None:
        """The value at `key` of a mapping; None when there is none or this is no mapping."""
        return self.value.get(key) if self.kind == MAPPING else None

    def key(self, key: str) -> Node:
        """The node of a key, or this node when the key came from nowhere in a file."""
        return (self.keys or {}).get(key, self)

    def items(self) -> Iterable[tuple[str, Node]]:
        return self.value.items() if self.kind == MAPPING else ()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.value if self.kind == SEQUENCE else ())

    def text(self) -> str | None:
        """The value when it is a string, else None."""
        return self.value if isinstance(self.value, str) else None

    def scalar(self, value: Any) -> Node:
        """A scalar at this node's place."""
        return Node(SCALAR, value, self.source, self.line, self.column, self.raw if self.kind == SCALAR else "", self.plain)

    def mapping(self, items: dict[str, Node], keys: dict[str, Node] | None = None) -> Node:
        """A mapping at this node's place, with this node's key marks where they still fit."""
        return Node(MAPPING, items, self.source, self.line, self.column, keys=keys if keys is not None else self.keys or {}, raw=self.raw)

    def sequence(self, items: list[Node]) -> Node:
        """A sequence at this node's place."""
        return Node(SEQUENCE, items, self.source, self.line, self.column, raw=self.raw)

    def with_item(self, key: str, value: Node) -> Node:
        """This mapping with one more, or another, value."""
        return self.mapping({**self.value, key: value})

    def without(self, *names: str) -> Node:
        """This mapping without some keys."""
        return self.mapping({key: value for key, value in self.value.items() if key not in names})

    def diagnostic(self, code: str, message: str, *, hint: str = "", severity: str = "error") -> Diagnostic:
        """A finding at this node."""
        line = self.source.line(self.line)
        if line is None:
            return Diagnostic(code, message, self.mark, hint or None, severity, chain=self.source.chain)
        cut = max(0, self.column - SHOWN // 2) if self.column > SHOWN - 20 else 0
        shown = ("…" + line[cut + 1 : cut + SHOWN] if cut else line[:SHOWN]).replace("\t", " ")
        width = max(1, min(self.width, len(shown) - (self.column - 1 - cut)))
        return Diagnostic(code, message, self.mark, hint or None, severity, shown, width, self.source.chain, cut)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if node.kind == SCALAR:
        return node.value
    if node.kind == MAPPING:
        return {key: plain(value) for key, value in node.value.items()}
    return [plain(value) for value in node.value]


def locate(node: Node, path: Iterable[str | int]) -> Node:
    """The node at `path`, or the deepest one on the way there."""
    for step in path:
        inside = step in node.value if node.kind == MAPPING else node.kind == SEQUENCE and isinstance(step, int) and step < len(node.value)
        if not inside:
            break
        node = node.value[step]
    return node
