"""What .dockerignore leaves out. Pure.

Source: Dockerfile reference, ".dockerignore file"; the patterns are those of Go's filepath.Match, and ``**``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from posixpath import normpath


class Ignore:
    """Patterns in the file's order; the last that matches a path or one of its parents decides; ``!`` takes back in."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.lines = tuple(lines)
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for line in self.lines:
            text = line.strip().removeprefix("\ufeff")
            if not text or text.startswith("#"):
                continue
            keep = text.startswith("!")
            pattern = normpath(text[1:].strip() if keep else text).lstrip("/")
            if pattern and pattern != ".":
                self._rules.append((keep, compiled(pattern)))
        self.takes_back = any(keep for keep, _ in self._rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ignore) and other.lines == self.lines

    def __hash__(self) -> int:
        return hash(self.lines)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def excludes(self, path: str) -> bool:
        """``path`` is relative, with ``/``. A directory that is excluded is still to be walked when `takes_back`."""
        parts = path.split("/")
        candidates = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        out = False
        for keep, pattern in self._rules:
            if keep != (not out) and any(pattern.fullmatch(c) for c in candidates):
                out = not keep
        return out


@lru_cache(512)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of Go's filepath.Match (``*`` ``?`` ``[a-z]`` ``\\x``), with ``**`` for any number of directories."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        at += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            inner = pattern[at:end].replace("\\", "\\\\")
            out.append(f"[{'^' + inner[1:] if inner.startswith('^') else inner}]")
            at = end + 1
        elif char == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(char))
    return re.compile("".join(out), re.DOTALL)
