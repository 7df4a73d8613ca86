"""What can go wrong, in words for the user: the root of every error of composer.

An error has a stable ``code`` (for scripts and tests), one sentence of what is wrong, and a ``hint`` of what to do next. A wrong
file is a `SpecError` with *all* its `Diagnostic`\\ s, each at its `Mark`. Foreign errors (OSError, sqlite3, pydantic, a subprocess)
are converted at the edge that calls them: ``raise X(...) from error``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2  # wrong usage, or an invalid file
EXIT_INTERRUPTED = 130


class ComposerError(Exception):
    """Anything that is said to the user without a traceback.

    ``message``: one sentence, no full stop needed. ``hint``: what to do next, or None. ``code``: dotted and stable (``spec.unknown-key``).
    """

    code: str = "failed"
    exit_code: int = EXIT_FAILED

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class UsageError(ComposerError):
    """The command line or the environment asks for what cannot be."""

    code = "usage"
    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a file. ``chain``: the include/extends steps that led here, outermost first."""

    code: str
    message: str
    mark: Mark | None = None
    hint: str | None = None
    severity: str = "error"  # or "warning"
    source: str | None = None  # the line of text at mark, or the part of it that is shown
    width: int = 1  # how many columns the caret spans
    chain: tuple[str, ...] = ()
    cut: int = 0  # how many columns of the line stand before `source`

    def render(self) -> str:
        """The finding as text: head line, the source line, carets and the hint beneath, as compilers print it."""
        head = f"{self.mark}: " if self.mark else ""
        lines = [f"{head}{self.severity}: {self.message} [{self.code}]"]
        if self.mark and self.source is not None:
            number = str(self.mark.line)
            pad = " " * (len(number) + 3)
            caret = " " * (self.mark.column - 1 - self.cut) + "^" * max(1, self.width)
            lines.append(f"  {number} | {self.source}")
            lines.append(f"{pad}| {caret}{'  ' + self.hint if self.hint else ''}")
        elif self.hint:
            lines.append(f"  hint: {self.hint}")
        lines.extend(f"  from {step}" for step in self.chain)
        return "\n".join(lines)


class SpecError(ComposerError):
    """The stack's files are wrong; holds every diagnostic, errors and warnings, in the order of the files."""

    code = "spec.invalid"
    exit_code = EXIT_USAGE

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(d.render() for d in diagnostics))
        self.diagnostics = tuple(diagnostics)
