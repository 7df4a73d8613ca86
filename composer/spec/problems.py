"""The findings of one load: errors and warnings, each once, in the order of the files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from composer.errors import Diagnostic, SpecError
from composer.spec.tree import Node

MOST = 100  # a file of garbage has thousands of mistakes; nobody reads them


class Problems:
    """Collects Diagnostics; `raise_if_any` ends the load with all of them at once."""

    def __init__(self, *, is_tolerant: bool = False) -> None:
        self.is_tolerant = is_tolerant
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.spoilt: set[str] = set()  # `services.web`: objects of which something wrong was left out
        self.expanded = 0  # characters that variables have become
        self._seen: set[tuple[object, str]] = set()

    def error(self, code: str, message: str, node: Node | None = None, hint: str = "") -> None:
        """An error; with `node`, at its place."""
        self.add(node.diagnostic(code, message, hint=hint) if node else Diagnostic(code, message, hint=hint or None))

    def warn(self, code: str, message: str, node: Node | None = None, hint: str = "") -> None:
        """A warning; with `node`, at its place."""
        severity = "warning"
        self.add(
            node.diagnostic(code, message, hint=hint, severity=severity)
            if node
            else Diagnostic(code, message, hint=hint or None, severity=severity)
        )

    @property
    def is_full(self) -> bool:
        """Are there so many mistakes that no more is kept?"""
        return len(self.errors) >= MOST

    def late(self, code: str, message: str, node: Node | None = None, hint: str = "") -> None:
        """What only stands in the way of running it: an error, but a warning to who only looks (`config`)."""
        (self.warn if self.is_tolerant else self.error)(code, message, node, hint)

    def once(self, about: str, code: str, message: str, node: Node) -> None:
        """A warning that is given only the first time for `about`, wherever that is."""
        if (code, about) not in self._seen:
            self._seen.add((code, about))
            self.warn(code, message, node)

    def add(self, finding: Diagnostic) -> None:
        seen = (finding.mark, finding.code if finding.mark else finding.message)  # an anchor used twice is one mistake
        found = self.errors if finding.severity == "error" else self.warnings
        if seen not in self._seen and len(found) < MOST:
            self._seen.add(seen)
            found.append(finding)

    def raise_if_any(self) -> None:
        """SpecError when there are errors; the warnings come with it."""
        if self.errors:
            files = list(dict.fromkeys(d.mark.file for d in self.errors if d.mark))
            ordered = sorted(
                self.errors,
                key=lambda d: (files.index(d.mark.file), d.mark.line, d.mark.column) if d.mark else (-1, 0, 0),
            )
            raise SpecError([*self.warnings, *ordered])


def did_you_mean(word: str, known: Iterable[str], *, listed: str = "") -> str:
    """A hint for a mistyped name: `did you mean 'x'?`, or `listed` followed by the choices when few, or nothing."""
    choices = list(known)
    close = difflib.get_close_matches(word.lower(), [c.lower() for c in choices], 1, 0.6)
    if close:
        return f"did you mean '{next(c for c in choices if c.lower() == close[0])}'?"
    return f"{listed}{', '.join(choices)}" if listed and 0 < len(choices) <= 12 else ""
