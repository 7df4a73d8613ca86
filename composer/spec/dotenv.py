"""`.env` files and `env_file`s: `KEY=value` lines to a mapping.

Unquoted values end at the line's end or at ` #`; '...' is literal and may span lines; "..." knows escapes, may span lines and is expanded,
as is an unquoted value. A line with only `KEY` takes the variable from the environment. `format: raw` takes lines as they are.
Source: Docker's documentation, "Environment variables: interpolation", section ".env file syntax"; the behaviour is docker compose's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from composer.spec.interpolate import Wrong, expand
from composer.spec.problems import Problems
from composer.spec.tree import SCALAR, Node, Source

_KEY = re.compile(r"(?:export[ \t]+)?([^=:\n]*)(=|:|\n|$)")
_GOOD = re.compile(r"[\w.\-\[\]]+")
_ESCAPE = re.compile(r"\\([nrtabcfv\\\"'$])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "c": ""}


def parse_env(
    source: Source,
    lookup: Mapping[str, str],
    problems: Problems,
    used: dict[str, str] | None = None,
    before: Mapping[str, str] | None = None,
    places: dict[str, Node] | None = None,
) -> dict[str, str]:
    """The variables of a file, added to those of the files `before` it.

    `${...}` sees `lookup`, then the file's own variables, then those before. One that is named without a value comes from `lookup`.
    `places`: takes, for each variable of the file, where it stands; the node's `raw` is the value as it is written.
    """
    return _Lines(source, lookup, problems, used if used is not None else {}, dict(before or {}), places).run()


def parse_raw(source: Source, lookup: Mapping[str, str], problems: Problems, places: dict[str, Node] | None = None) -> dict[str, str]:
    """`format: raw`: everything behind the first `=` is the value, quotes and dollars included. `places`: as in `parse_env`."""
    found: dict[str, str] = {}
    for number, line in enumerate(source.data.decode("utf-8-sig", "replace").splitlines(), 1):
        name, equals, value = line.lstrip().partition("=")
        if (not name.strip() and not equals) or name.startswith("#"):
            continue
        if not name or any(char.isspace() for char in name):
            why = f"variable '{name[:40]}' contains whitespaces" if name else f"no variable name on line '{line[:40]}'"
            problems.error("spec.env-file", why, Node(SCALAR, None, source, number, 1), "a line is KEY=value, or # and a comment")
        elif equals or name in lookup:
            found[name] = value if equals else lookup[name]
            if places is not None:
                places[name] = Node(SCALAR, found[name], source, number, 1)
    return found


class _Lines:
    def __init__(
        self,
        source: Source,
        lookup: Mapping[str, str],
        problems: Problems,
        used: dict[str, str],
        found: dict[str, str],
        places: dict[str, Node] | None,
    ) -> None:
        self.source = source
        self.lookup = lookup
        self.problems = problems
        self.used = used
        self.text = source.data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
        self.at = 0
        self.found = found
        self.places = places

    def run(self) -> dict[str, str]:
        text = self.text
        while self.at < len(text):
            if text[self.at].isspace():
                self.at += 1
            elif text[self.at] == "#":
                self.skip_line()
            else:
                self.statement()
        return self.found

    def skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1

    def wrong(self, message: str, at: int, hint: str = "") -> None:
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        rest = self.text[at:].split("\n", 1)[0]
        self.problems.error("spec.env-file", message, Node(SCALAR, None, self.source, line, column, raw=rest[:1]), hint)

    def statement(self) -> None:
        start = self.at
        match = _KEY.match(self.text, start)
        assert match is not None  # it matches anything
        key = match[1].rstrip()
        if _GOOD.fullmatch(key) is None:
            reason = "key cannot contain a space" if " " in key.strip() else f"unexpected characters in the variable name '{key[:40]}'"
            self.wrong(reason, start, "a line is KEY=value, or # and a comment")
            self.skip_line()
            return
        self.at = match.end()
        if match[2] in ("\n", ""):
            if key in self.lookup:
                self.found[key] = self.lookup[key]
                self.note(key, start, self.at)
            return
        while self.at < len(self.text) and self.text[self.at] in " \t\v\f\r":
            self.at += 1
        begin = self.at
        self.found[key] = self.value()
        self.note(key, start, begin)

    def note(self, key: str, start: int, begin: int) -> None:
        """Remembers where a variable stands, when that was asked for."""
        if self.places is None:
            return
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        self.places[key] = Node(SCALAR, self.found[key], self.source, line, column, raw=self.text[begin : self.at])

    def value(self) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote in ("'", '"') and quote:
            return self.quoted(quote)
        start = self.at
        end = self.text.find("\n", start)
        end = len(self.text) if end < 0 else end
        raw = self.text[start:end]
        self.at = end
        return self.expanded(raw.partition(" #")[0].rstrip(), start)

    def quoted(self, quote: str) -> str:
        start = self.at
        end = start + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" and end + 1 < len(self.text) and self.text[end + 1] in (quote, "\\") else 1
        if end >= len(self.text):
            self.wrong(f"unterminated quoted value {self.text[start:].splitlines()[0][:40]}", start, f"end it with {quote}")
            self.at = len(self.text)
            return ""
        self.at = end + 1
        raw = self.text[start + 1 : end]
        if quote == "'":
            return raw.replace("\\'", "'")
        return self.expanded(_ESCAPE.sub(_unescape, raw), start)

    def expanded(self, text: str, at: int) -> str:
        lookup = {**self.found, **self.lookup} if "$" in text else {}
        try:
            return expand(text, lookup, None, self.used)
        except Wrong as wrong:
            self.wrong(wrong.message, at, wrong.hint)
            return text


def _unescape(match: re.Match[str]) -> str:
    if match[1] == "$":
        return "$$"
    return _ESCAPED.get(match[1], match[1])
