"""What is printed while watching: batches as lines on standard output, warnings and builds on standard error."""

from __future__ import annotations

import sys
from typing import Any

from composer.cli.app import App
from composer.cli.console import CYAN, GREEN, RED, YELLOW
from composer.cli.terminal import write_all


class Terminal:
    """``quiet``: no output of builds."""

    def __init__(self, app: App, *, quiet: bool = False) -> None:
        self.app = app
        self.quiet = quiet
        self._last: dict[str, str] = {}

    def line(self, text: str) -> None:
        mark = self.app.console.paint("⦿", GREEN, 1)
        _write(1, f"{mark} {text}\n")

    def note(self, text: str) -> None:
        """Something about the watch itself."""
        self.line(text)

    def warn(self, text: str, hint: str = "") -> None:
        head = self.app.console.paint("watch:", YELLOW)
        tail = f"\n  {self.app.console.paint('hint:', CYAN)} {hint}" if hint else ""
        _write(2, f"{head} {text}{tail}\n")

    def output(self, name: str, line: bytes) -> None:
        """A line of a command that ran in a replica."""
        write_all(1, f"{name}  | ".encode() + line + b"\n")

    def progress(self, line: dict[str, Any]) -> None:
        """Builds and pulls line by line, unless quiet; of containers only what failed, as the rest is summed up."""
        name, status, detail = str(line.get("id", "")), str(line.get("status", "")), str(line.get("detail") or "").strip()
        if line.get("error"):
            _write(2, f" {self.app.console.paint(f'{name}  {status}', RED)} {detail}\n")
            return
        if self.quiet or name.startswith(("Container ", "Network ", "Volume ")):
            return
        text = f" {name}  {status} {detail}".rstrip()
        if self._last.get(name) != text:
            self._last[name] = text
            _write(2, text + "\n")


def _write(descriptor: int, text: str) -> None:
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    write_all(descriptor, text.encode("utf-8", "surrogateescape"))
