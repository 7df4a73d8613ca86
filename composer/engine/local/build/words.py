"""Shell words as a Dockerfile has them: quotes, escapes, and variables with their modifiers. Pure.

Source: Dockerfile reference, "Environment replacement"; the modifiers are those of BuildKit's lexer
(``:-`` ``-`` ``:+`` ``+`` ``:?`` ``?`` ``#`` ``##`` ``%`` ``%%`` ``/`` ``//``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate

from composer.engine.local.build.problem import BuildProblem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]")


@dataclass
class _Reader:
    text: str
    values: Mapping[str, str]
    escape: str
    at: int = 0
    words: list[str] = field(default_factory=list)

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        return char

    def until(self, stop: str) -> str:
        """Expanded text up to (not including) one of the characters of ``stop`` outside quotes, or the end."""
        out: list[str] = []
        while (char := self.peek()) and char not in stop:
            out.append(self._piece(char))
        return "".join(out)

    def _piece(self, char: str) -> str:
        if char == "'":
            return self._single()
        if char == '"':
            return self._double()
        if char == "$":
            return self._variable()
        self.at += 1
        if char == self.escape:
            return self.take()
        return char

    def _single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise BuildProblem("unexpected end of statement while looking for matching single-quote")
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        return inner

    def _double(self) -> str:
        self.at += 1
        out: list[str] = []
        while (char := self.peek()) != '"':
            if not char:
                raise BuildProblem("unexpected end of statement while looking for matching double-quote")
            if char == "$":
                out.append(self._variable())
                continue
            self.at += 1
            if char == self.escape and self.peek() in ('"', "$", self.escape):
                char = self.take()
            out.append(char)
        self.at += 1
        return "".join(out)

    def _variable(self) -> str:
        self.at += 1
        if self.peek() != "{":
            match = _NAME.match(self.text, self.at)
            if not match:
                return "$"
            self.at = match.end()
            return self.values.get(match.group(), "")
        self.at += 1
        match = _NAME.match(self.text, self.at)
        if not match:
            raise BuildProblem("bad substitution")
        name, self.at = match.group(), match.end()
        value = self._modified(name)
        if self.take() != "}":
            raise BuildProblem(f"syntax error: missing '}}' after ${{{name}")
        return value

    def _modified(self, name: str) -> str:
        value, found = self.values.get(name, ""), name in self.values
        operator = self._operator()
        if operator == "":
            return value
        if operator in ("/", "//"):
            pattern = self.until("/}")
            replacement = ""
            if self.peek() == "/":
                self.at += 1
                replacement = self.until("}")
            return re.sub(_glob(pattern), lambda _: replacement, value, count=0 if operator == "//" else 1)
        word = self.until("}")
        return _modifier(name, value, found, operator, word)

    def _operator(self) -> str:
        for operator in (":-", ":+", ":?", "##", "%%", "//", "-", "+", "?", "#", "%", "/"):
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                return operator
        if self.peek() != "}":
            raise BuildProblem(f"unsupported modifier ({self.peek()}) in substitution")
        return ""


def _modifier(name: str, value: str, found: bool, operator: str, word: str) -> str:
    present = bool(value) if operator.startswith(":") else found
    match operator[-1]:
        case "-":
            return value if present else word
        case "+":
            return word if present else ""
        case "?":
            if not present:
                raise BuildProblem(f"{name}: {word or 'is not set'}")
            return value
    return _trim(value, word, operator)


def _trim(value: str, pattern: str, operator: str) -> str:
    """``#`` ``##`` cut the shortest, longest match off the front, ``%`` ``%%`` off the end."""
    whole = re.compile(translate(pattern))
    cuts = range(len(value) + 1)
    if operator[0] == "#":
        order = cuts if operator == "#" else reversed(cuts)
        return next((value[i:] for i in order if whole.match(value[:i])), value)
    order = reversed(cuts) if operator == "%" else cuts
    return next((value[:i] for i in order if whole.match(value[i:])), value)


def _glob(pattern: str) -> str:
    return translate(pattern).removesuffix(r"\Z").removesuffix(r"\z").replace(".*", ".*?")


def expand(text: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """The one word that ``text`` is: variables replaced, quotes removed. Raises BuildProblem (without a place)."""
    return _Reader(text, values, escape).until("")


def expand_words(text: str, values: Mapping[str, str], escape: str = "\\") -> list[str]:
    """The words of ``text``, split at blanks outside quotes; each expanded."""
    reader = _Reader(text, values, escape)
    words: list[str] = []
    while True:
        while reader.peek() and reader.peek() in " \t":
            reader.at += 1
        if not reader.peek():
            return words
        words.append(reader.until(" \t"))


def split(text: str, escape: str = "\\") -> list[str]:
    """The words of ``text``, split at blanks outside quotes and braces, as written: nothing expanded, quotes kept."""
    words: list[str] = []
    start, at, quote = -1, 0, ""
    while at < len(text):
        char = text[at]
        if start < 0:
            if char in " \t":
                at += 1
                continue
            start = at
        if char == escape and quote != "'":
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in " \t":
            words.append(text[start:at])
            start = -1
        at += 1
    if start >= 0:
        words.append(text[start:])
    return words
