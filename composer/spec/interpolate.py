"""Variables in a stack file: `$NAME`, `${NAME}`, and `${NAME:-default}` in all its forms, nested.

    ${N:-w} ${N-w}   w when N is unset (with the colon: or empty)        ${N:?w} ${N?w}   an error saying w then
    ${N:+w} ${N+w}   w when N is set (with the colon: and not empty)     $$               a dollar sign

w may hold variables itself. A `$` that begins none of these stays. What a variable holds is never expanded again. Source: Compose
Specification, chapter "Interpolation".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from composer.spec.problems import Problems
from composer.spec.tree import MAPPING, SCALAR, Node

Operator = Literal["", "-", ":-", "?", ":?", "+", ":+"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_DEEP = 50
_LARGEST = 8 * 2**20  # characters that one value may expand to
_ALL = 64 * 2**20  # characters that the values of a stack may expand to


@dataclass(frozen=True, slots=True)
class Variable:
    """One use of a variable; `word` is what stands behind the operator, `end` where the use ends in the text."""

    name: str
    operator: str
    word: str
    start: int
    end: int


class Wrong(Exception):
    """The text is no valid template, or lacks a required variable; `at` is the offset of the culprit."""

    def __init__(self, code: str, message: str, hint: str, at: int) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.at = code, message, hint, at


Missing = Callable[[str, int], None]


def expand(text: str, lookup: Mapping[str, str], missing: Missing | None = None, used: dict[str, str] | None = None) -> str:
    """`text` with its variables replaced. `missing` is told of unset ones. Wrong when it cannot be done."""
    return _Expansion(lookup, missing, used).of(text, 0, 0) if "$" in text else text


class _Expansion:
    """One text being expanded. `missing` and Wrong get offsets in the whole text, for what is nested, too."""

    def __init__(self, lookup: Mapping[str, str], missing: Missing | None, used: dict[str, str] | None) -> None:
        self.lookup, self.missing, self.used = lookup, missing, used

    def of(self, text: str, begin: int, depth: int) -> str:
        if "$" not in text:
            return text
        if depth > _DEEP:
            raise Wrong("spec.interpolation", f"variables are nested deeper than {_DEEP} levels", "", begin)
        try:
            pieces = list(_pieces(text))
        except Wrong as wrong:
            wrong.at += begin
            raise
        parts: list[str] = []
        size = 0
        for piece in pieces:
            parts.append(piece if isinstance(piece, str) else self.value(piece, begin, depth))
            size += len(parts[-1])
            if size > _LARGEST:
                raise Wrong("spec.too-large", f"variables expand to more than {_LARGEST // 2**20} Mi characters", "", begin)
        return "".join(parts)

    def value(self, use: Variable, begin: int, depth: int) -> str:
        value = self.lookup.get(use.name)
        if self.used is not None and value is not None:
            self.used[use.name] = value
        there = value is not None and (value != "" or not use.operator.startswith(":"))
        kind = use.operator[-1:]
        # the word is expanded even when it does not count: what it demands, it demands
        word = self.of(use.word, begin + use.end - 1 - len(use.word), depth + 1) if kind else ""
        if kind == "+":
            return word if there else ""
        if there:
            assert value is not None
            return value
        if kind == "-":
            return word
        if kind == "?":
            message = f"required variable {use.name} is missing a value" + (f": {word}" if word else "")
            raise Wrong("spec.required-variable", message, f"set {use.name} in the environment or in .env", begin + use.start)
        if self.missing is not None and value is None:
            self.missing(use.name, begin + use.start)
        return value or ""


def _pieces(text: str) -> Iterator[str | Variable]:
    at = 0
    while True:
        dollar = text.find("$", at)
        if dollar < 0:
            yield text[at:]
            return
        if dollar > at:
            yield text[at:dollar]
        if text.startswith("$$", dollar):
            yield "$"
            at = dollar + 2
            continue
        use = _variable(text, dollar)
        yield use if use is not None else "$"
        at = use.end if use is not None else dollar + 1


def _variable(text: str, dollar: int) -> Variable | None:
    braced = text.startswith("${", dollar)
    name = _NAME.match(text, dollar + (2 if braced else 1))
    if name is None and not braced:
        return None
    if name is None:
        raise _invalid(text, dollar)
    if not braced:
        return Variable(name[0], "", "", dollar, name.end())
    if text.startswith("}", name.end()):
        return Variable(name[0], "", "", dollar, name.end() + 1)
    operator = _OPERATOR.match(text, name.end())
    close = _closing(text, operator.end()) if operator else -1
    if operator is None or close < 0:
        raise _invalid(text, dollar)
    return Variable(name[0], operator[0], text[operator.end() : close], dollar, close + 1)


def _closing(text: str, start: int) -> int:
    """Where the brace that ends a word stands: those of nested braces do not count."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            if depth == 0:
                return at
            depth -= 1
    return -1


def _invalid(text: str, at: int) -> Wrong:
    shown = text[at : at + 30].split("\n", 1)[0]
    is_open = text.startswith("${", at) and _closing(text, at + 2) < 0
    hint = "the brace is not closed" if is_open else "a literal $ is written $$; a variable ${NAME}"
    return Wrong("spec.interpolation", f"invalid interpolation format: '{shown}'", hint, at)


def outermost(text: str) -> list[Variable]:
    """The uses of variables in `text`, without those inside of defaults; nothing when it is no valid template."""
    try:
        return [piece for piece in _pieces(text) if isinstance(piece, Variable)]
    except Wrong:
        return []


def variables(text: str) -> Iterator[Variable]:
    """Every use of a variable in `text`, those inside of defaults included; nothing when it is no valid template."""
    for use in outermost(text):
        yield use
        yield from variables(use.word)


def interpolate(node: Node, lookup: Mapping[str, str], problems: Problems, used: dict[str, str]) -> Node:
    """The tree with every string expanded. Wrong places go to `problems` and keep their text."""
    if not node.live:
        return node
    if node.kind == SCALAR:
        return _scalar(node, lookup, problems, used)
    if node.kind == MAPPING:
        done = node.mapping({key: interpolate(value, lookup, problems, used) for key, value in node.value.items()})
    else:
        done = node.sequence([interpolate(value, lookup, problems, used) for value in node.value])
    done.tag = node.tag
    done.live = node.live
    return done


def _scalar(node: Node, lookup: Mapping[str, str], problems: Problems, used: dict[str, str]) -> Node:
    if not isinstance(node.value, str) or "$" not in node.value:
        return node

    def missing(name: str, at: int) -> None:
        if name not in warned:
            warned.add(name)
            message = f'The "{name}" variable is not set. Defaulting to a blank string.'
            problems.once(name, "spec.unset-variable", message, within(node, at))

    warned: set[str] = set()
    try:
        value = expand(node.value, lookup, missing, used)
    except Wrong as wrong:
        problems.error(wrong.code, wrong.message, within(node, wrong.at), wrong.hint)
        value = node.value
    problems.expanded += len(value)
    if problems.expanded > _ALL:
        problems.error("spec.too-large", f"the variables of the files expand to more than {_ALL // 2**20} Mi characters", node)
        value = ""
    done = node.scalar(value)
    done.tag = node.tag
    done.live = node.tag is not None
    return done


def within(node: Node, at: int) -> Node:
    """The place of a character of a scalar, where its text stands in the file as it is; else the scalar's."""
    line = node.source.line(node.line) or ""
    begin = node.column - 1 + (0 if node.plain else 1)
    if "\n" not in node.raw and line[begin : begin + len(node.raw)] == node.raw:
        return Node(SCALAR, None, node.source, node.line, begin + at + 1, raw=_use(node.raw[at:]))
    return node


def _use(text: str) -> str:
    """How far the use of a variable at the start of `text` reaches, for the caret."""
    try:
        use = _variable(text, 0)
    except Wrong:
        use = None
    return text[: use.end] if use is not None else text[:2]
