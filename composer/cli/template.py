"""Go templates, as far as ``--format`` of docker and docker compose is used: fields, pipes, if/else, range, with, variables.

Words: a template is cut into **tokens** (text and actions), parsed into **nodes** (small functions from a **scope** to text), and
rendered for each row. Functions are Docker's: json, join, split, upper, lower, title, pad, truncate, println, and Go's own: printf, len,
index, slice, eq ne lt le gt ge, and, or, not, print. Source: https://pkg.go.dev/text/template and docker's templates/templates.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from composer.cli.template_functions import FUNCTIONS, text
from composer.errors import UsageError

ACTION = re.compile(r"\{\{(- )?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^\"`}]|\}(?!\}))*?)\s*( -)?\}\}", re.S)
WORD = re.compile(
    r"\s*(?:(?P<string>\"(?:\\.|[^\"\\])*\"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign>:=|=|\||\(|\)|,)"
    r"|(?P<name>(?:\$\w*|\.)?(?:\.?\w+)*(?:\.\w+)*)(?P<dot>\.?))"
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
MISSING = object()


class TemplateError(UsageError):
    """The template is wrong, or asks for a field that is not there."""

    code = "cli.template"


@dataclass
class Scope:
    """``dot``: the current value. ``variables``: $name -> value; "$" is the row itself."""

    dot: Any
    variables: dict[str, Any]


Node = Callable[[Scope], str]
Value = Callable[[Scope], Any]


class Template:
    """A parsed template; `render` applies it to one row. ``strict``: an unknown field of the row itself is an error."""

    def __init__(self, source: str, *, strict: bool = True) -> None:
        self.source = source
        self.strict = strict
        self._tokens = _tokens(source.replace("\\t", "\t").replace("\\n", "\n"))
        self._at = 0
        self._nodes, end = self._block(())
        if end:
            raise self._wrong(f"unexpected {{{{{end}}}}}")

    def render(self, row: Any) -> str:
        scope = Scope(row, {"$": row})
        return "".join(node(scope) for node in self._nodes)

    def _wrong(self, what: str) -> TemplateError:
        return TemplateError(f"template parsing error: {what}", hint=f"in: {self.source}")

    def _block(self, ends: tuple[str, ...]) -> tuple[list[Node], str]:
        """Nodes up to one of ``ends`` (or the template's end), and that end's action."""
        nodes: list[Node] = []
        while self._at < len(self._tokens):
            is_action, body = self._tokens[self._at]
            self._at += 1
            if not is_action:
                nodes.append(lambda scope, body=body: body)  # type: ignore[misc]
                continue
            word = body.split(None, 1)[0] if body.split() else ""
            if word in ("end", "else"):
                if word not in ends:
                    raise self._wrong(f"unexpected {{{{{word}}}}}")
                return nodes, body
            if body.startswith("/*"):
                continue
            nodes.append(self._action(word, body))
        if ends:
            raise self._wrong("unexpected EOF")
        return nodes, ""

    def _action(self, word: str, body: str) -> Node:
        rest = body[len(word) :].strip()
        if word in ("if", "with"):
            return self._condition(rest, keep_dot=word == "if")
        if word == "range":
            return self._range(rest)
        return self._output(body)

    def _condition(self, pipeline: str, keep_dot: bool) -> Node:
        names, value = self._pipeline(pipeline)
        then, end = self._block(("else", "end"))
        otherwise: list[Node] = []
        if end.startswith("else"):
            more = end[4:].strip()
            if more.startswith("if "):
                otherwise = [self._condition(more[3:], keep_dot=True)]
            else:
                otherwise, _ = self._block(("end",))

        def node(scope: Scope) -> str:
            found = value(scope)
            inner = Scope(scope.dot if keep_dot else found, {**scope.variables, **dict.fromkeys(names, found)})
            return "".join(n(inner) for n in then) if _true(found) else "".join(n(scope) for n in otherwise)

        return node

    def _range(self, pipeline: str) -> Node:
        names, value = self._pipeline(pipeline)
        body, end = self._block(("else", "end"))
        otherwise = self._block(("end",))[0] if end == "else" else []

        def node(scope: Scope) -> str:
            found = value(scope)
            pairs = sorted(found.items()) if isinstance(found, dict) else list(enumerate(found or ()))
            if not pairs:
                return "".join(n(scope) for n in otherwise)
            out: list[str] = []
            for key, item in pairs:
                named = dict(zip(names, (key, item) if len(names) == 2 else (item,), strict=False))
                out.extend(n(Scope(item, {**scope.variables, **named})) for n in body)
            return "".join(out)

        return node

    def _output(self, body: str) -> Node:
        names, value = self._pipeline(body)
        if not names:
            return lambda scope: text(value(scope))

        def node(scope: Scope) -> str:
            scope.variables.update(dict.fromkeys(names, value(scope)))
            return ""

        return node

    def _pipeline(self, source: str) -> tuple[list[str], Value]:
        """``$x := a | b 1``: the declared names, and what computes the value."""
        words = _words(source, self._wrong)
        names: list[str] = []
        for sign in ("sign::=", "sign:="):
            if sign in words:
                at = words.index(sign)
                names = [word[5:] for word in words[:at] if word.startswith("name:")]
                words = words[at + 1 :]
        value, rest = self._piped(words)
        if rest:
            raise self._wrong(f"unexpected {rest[0].partition(':')[2]!r}")
        return names, value

    def _piped(self, words: list[str]) -> tuple[Value, list[str]]:
        value, words = self._command(words, None)
        while words and words[0] == "sign:|":
            value, words = self._command(words[1:], value)
        return value, words

    def _command(self, words: list[str], piped: Value | None) -> tuple[Value, list[str]]:
        """One function with its operands, or one operand."""
        if not words:
            raise self._wrong("missing value for command")
        kind, _, body = words[0].partition(":")
        if kind == "name" and body in FUNCTIONS:
            operands: list[Value] = []
            words = words[1:]
            while words and words[0] not in ("sign:|", "sign:)"):
                operand, words = self._operand(words)
                operands.append(operand)
            if piped is not None:
                operands.append(piped)
            return self._call(body, operands), words
        if piped is not None:
            raise self._wrong(f"{body!r} is no function")
        return self._operand(words)

    def _call(self, name: str, operands: list[Value]) -> Value:
        function = FUNCTIONS[name]

        def value(scope: Scope) -> Any:
            try:
                return function(*(operand(scope) for operand in operands))
            except (TypeError, ValueError, IndexError, KeyError) as error:
                raise TemplateError(f"template: error calling {name}: {error}", hint=f"in: {self.source}") from error

        return value

    def _operand(self, words: list[str]) -> tuple[Value, list[str]]:
        kind, _, body = words[0].partition(":")
        rest = words[1:]
        if kind == "string":
            literal: Any = body[1:-1] if body[0] == "`" else re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), body[1:-1])
            return (lambda scope: literal), rest
        if kind == "number":
            number: Any = float(body) if "." in body else int(body)
            return (lambda scope: number), rest
        if words[0] == "sign:(":
            value, rest = self._piped(rest)
            if not rest or rest[0] != "sign:)":
                raise self._wrong("unclosed left paren")
            if len(rest) > 1 and rest[1].startswith("name:.") and rest[1] != "name:.":
                path = rest[1][6:].split(".")
                return (lambda scope: self._walk(value(scope), path, False)), rest[2:]
            return value, rest[1:]
        if kind == "name":
            return self._name(body), rest
        raise self._wrong(f"unexpected {body!r} in operand")

    def _name(self, name: str) -> Value:
        if name in ("true", "false", "nil"):
            return lambda scope: {"true": True, "false": False, "nil": None}[name]
        if name == ".":
            return lambda scope: scope.dot
        if name.startswith("."):
            path = name[1:].split(".")
            return lambda scope: self._walk(scope.dot, path, self.strict and scope.dot is scope.variables["$"])
        if name.startswith("$"):
            variable, *path = name.split(".")
            return lambda scope: self._walk(scope.variables.get(variable), path, False)
        if name in FUNCTIONS:
            return self._call(name, [])
        raise self._wrong(f'function "{name}" not defined')

    def _walk(self, value: Any, path: list[str], strict: bool) -> Any:
        for position, key in enumerate(path):
            found = _field(value, key)
            if found is MISSING:
                if strict and position == 0:
                    raise TemplateError(
                        f'template: executing "" at <.{key}>: can\'t evaluate field {key}',
                        hint="fields: " + ", ".join(sorted(value)) if isinstance(value, dict) else None,
                    )
                return None
            value = found
        return value


def _field(value: Any, key: str) -> Any:
    """A map's entry; Go's field names differ in case from some JSON keys (ID and Id)."""
    if not isinstance(value, dict):
        return MISSING
    if key in value:
        return value[key]
    lower = key.lower()
    return next((found for name, found in value.items() if name.lower() == lower), MISSING)


def _true(value: Any) -> bool:
    return bool(value)


def _tokens(source: str) -> list[tuple[bool, str]]:
    """(is it an action, its body), with {{- and -}} trimming the text beside them."""
    tokens: list[tuple[bool, str]] = []
    at, trim = 0, False
    for match in ACTION.finditer(source):
        before = source[at : match.start()]
        before = before.lstrip() if trim else before
        before = before.rstrip() if match[1] else before
        if before:
            tokens.append((False, before))
        tokens.append((True, match[2]))
        at, trim = match.end(), bool(match[3])
    tail = source[at:]
    if "{{" in tail:
        raise TemplateError("template parsing error: unclosed action", hint=f"in: {source}")
    if tail:
        tokens.append((False, tail.lstrip() if trim else tail))
    return tokens


def _words(source: str, wrong: Callable[[str], TemplateError]) -> list[str]:
    words, at = [], 0
    source = source.strip()
    while at < len(source):
        match = WORD.match(source, at)
        if match is None or match.end() == at:
            raise wrong(f"unexpected {source[at]!r}")
        kind = match.lastgroup if match.lastgroup != "dot" else "name"
        body = match["name"] + match["dot"] if kind == "name" else match[kind or 0]
        if body != ",":
            words.append(f"{kind}:{body}")
        at = match.end()
        while at < len(source) and source[at].isspace():
            at += 1
    return words
