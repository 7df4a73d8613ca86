"""Dockerfile text -> instructions. Pure.

Words: an *instruction* has a keyword, ``--flags``, and its argument, which is a JSON list (exec form), or text (shell form), and may
have *heredocs*. Directives (``# escape=``, ``# syntax=``) stand before everything else.
Source: Dockerfile reference, "Format", "Parser directives", "Here-Documents".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from composer.engine.local.build.problem import BuildProblem

# fmt: off
KEYWORDS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK",
    "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})
# fmt: on
FLAGS = {
    "FROM": {"platform"},
    "RUN": {"mount", "network", "security"},
    "COPY": {"from", "chown", "chmod", "link", "parents", "exclude"},
    "ADD": {"chown", "chmod", "link", "checksum", "unpack", "exclude", "keep-git-dir"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
}
JSON_FORM = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
HEREDOC_FORM = frozenset({"ADD", "COPY", "RUN"})
MAX_BYTES = 4 << 20
_HEREDOC = re.compile(r"<<(-?)\s*(['\"]?)([A-Za-z_][A-Za-z0-9_.]*)\2")
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Heredoc:
    """``content`` ends with a newline; ``expand``: variables in it are replaced (the delimiter was not quoted)."""

    name: str
    content: str
    expand: bool
    chomp: bool = False


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. ``words``: the exec form's list, else None. ``text``: the argument after the flags, continuations joined."""

    keyword: str
    text: str
    line: int
    source: str
    flags: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] | None = None
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str, default: str = "") -> str:
        return next((value for key, value in reversed(self.flags) if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.flags if key == name]

    def __str__(self) -> str:
        flags = "".join(f"--{k}={v} " for k, v in self.flags)
        return f"{self.keyword} {flags}{self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class Dockerfile:
    instructions: tuple[Instruction, ...]
    escape: str = "\\"
    name: str = "Dockerfile"


@dataclass
class _Lines:
    """The lines with their numbers, read one by one."""

    rows: list[str]
    escape: str = "\\"
    at: int = 0
    directives: dict[str, str] = field(default_factory=dict)

    def next(self) -> str:
        self.at += 1
        return self.rows[self.at - 1]

    @property
    def left(self) -> bool:
        return self.at < len(self.rows)


def parse(text: str, name: str = "Dockerfile") -> Dockerfile:
    """Raises BuildProblem with the line of the first mistake."""
    if len(text) > MAX_BYTES:
        raise BuildProblem(f"{name} is larger than {MAX_BYTES >> 20} MiB")
    lines = _Lines(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"))
    _read_directives(lines, name)
    found = tuple(_instructions(lines, name))
    if not found:
        raise BuildProblem(f"the Dockerfile {name} has no instructions", hint="it needs at least FROM")
    return Dockerfile(found, lines.escape, name)


def _read_directives(lines: _Lines, name: str) -> None:
    while lines.left and (match := _DIRECTIVE.match(lines.rows[lines.at])):
        key, value = match[1].lower(), match[2]
        if key not in ("escape", "syntax", "check") or key in lines.directives:
            return
        if key == "escape":
            if value not in ("\\", "`"):
                raise BuildProblem(
                    f"invalid escape directive {value!r}: must be \\ or `", line=lines.at + 1, source=lines.rows[lines.at], file=name
                )
            lines.escape = value
        lines.directives[key] = value
        lines.at += 1


def _instructions(lines: _Lines, name: str) -> Iterator[Instruction]:
    while lines.left:
        start = lines.at
        first = lines.next().strip()
        if not first or first.startswith("#"):
            continue
        logical = _join(lines, first)
        try:
            yield _instruction(logical, start + 1, first, lines)
        except BuildProblem as problem:
            raise problem.located(start + 1, lines.rows[start], name) from problem


def _join(lines: _Lines, first: str) -> str:
    """The logical line: continued lines joined; comments and blank lines inside a continuation dropped."""
    continued = re.compile(re.escape(lines.escape) + r"[ \t]*$")
    out, row = [], first
    while continued.search(row):
        out.append(continued.sub("", row))
        row = ""
        while lines.left:
            row = lines.next()
            if row.strip() and not row.lstrip().startswith("#"):
                break
            row = ""
    out.append(row)
    return "".join(out).strip()


def _instruction(logical: str, number: int, source: str, lines: _Lines) -> Instruction:
    keyword, _, rest = logical.partition(" ") if " " in logical else (logical, "", "")
    if "\t" in keyword:
        keyword, _, more = keyword.partition("\t")
        rest = f"{more} {rest}"
    keyword = keyword.upper()
    if keyword not in KEYWORDS:
        raise BuildProblem(f"unknown instruction: {keyword}", hint=_did_you_mean(keyword))
    flags, rest = _take_flags(keyword, rest.strip())
    if not rest and keyword not in ("CMD", "ENTRYPOINT"):
        raise BuildProblem(f"{keyword} requires at least one argument")
    words = _json(keyword, rest)
    heredocs = tuple(_heredocs(rest, lines)) if keyword in HEREDOC_FORM and words is None else ()
    return Instruction(keyword, rest, number, source, flags, words, heredocs)


def _did_you_mean(keyword: str) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(keyword, KEYWORDS, 1)
    return f"did you mean {near[0]}?" if near else None


def _take_flags(keyword: str, rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    known = FLAGS.get(keyword, set())
    flags: list[tuple[str, str]] = []
    while known and (match := re.match(r"--([a-z-]+)(?:=((?:\"[^\"]*\"|'[^']*'|\S)*))?(?:\s+|$)", rest)):
        key, value = match[1], match[2]
        if key not in known:
            raise BuildProblem(f"unknown flag: --{key} in {keyword}", hint="known: " + ", ".join(f"--{k}" for k in sorted(known)))
        flags.append((key, "true" if value is None else value))
        rest = rest[match.end() :]
    return tuple(flags), rest


def _json(keyword: str, rest: str) -> tuple[str, ...] | None:
    if keyword not in JSON_FORM or not rest.startswith("["):
        return None
    try:
        value = json.loads(rest)
    except ValueError:
        return None
    return tuple(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _heredocs(rest: str, lines: _Lines) -> Iterator[Heredoc]:
    for match in _HEREDOC.finditer(rest):
        chomp, quote, name = match[1] == "-", match[2], match[3]
        rows: list[str] = []
        while True:
            if not lines.left:
                raise BuildProblem(f"unterminated heredoc: no line {name!r} follows")
            row = lines.next()
            bare = row.lstrip("\t") if chomp else row
            if bare == name:
                break
            rows.append(bare)
        yield Heredoc(name, "".join(f"{row}\n" for row in rows), not quote, chomp)
