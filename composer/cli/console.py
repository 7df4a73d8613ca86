"""Is there a terminal, are colours and live output wanted? NO_COLOR (no-color.org), --ansi and --progress decide."""

from __future__ import annotations

import os
import sys

RESET = "\x1b[0m"
RED, GREEN, YELLOW, BLUE, CYAN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[36m"
BOLD, DIM = "\x1b[1m", "\x1b[2m"
# the order in which docker compose gives colours to log prefixes
LOG_COLOURS = ["\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m"] + [f"\x1b[{n};1m" for n in (36, 33, 32, 35, 34)]


class Console:
    """``ansi``: never, always, auto. ``progress``: auto, tty, plain, json, quiet."""

    def __init__(self, ansi: str = "auto", progress: str = "auto") -> None:
        self.ansi = ansi
        self.progress = progress

    def colours(self, file_descriptor: int) -> bool:
        """May colours go to this descriptor (1 or 2)?"""
        if self.ansi != "auto":
            return self.ansi == "always"
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and os.isatty(file_descriptor)

    def paint(self, text: str, colour: str, file_descriptor: int = 2) -> str:
        return f"{colour}{text}{RESET}" if self.colours(file_descriptor) else text

    @property
    def style(self) -> str:
        """How progress is shown: tty, plain, json or quiet."""
        if self.progress != "auto":
            return self.progress
        live = self.ansi != "never" and os.environ.get("TERM") != "dumb" and os.isatty(2)
        return "tty" if live else "plain"

    def width(self) -> int:
        return size()[1]


def size() -> tuple[int, int]:
    """Rows and columns of the terminal; 24 x 80 when there is none."""
    for stream in (sys.__stderr__, sys.__stdout__, sys.__stdin__):
        try:
            columns, rows = os.get_terminal_size(stream.fileno()) if stream else (0, 0)
        except (OSError, ValueError):
            continue
        if columns and rows:
            return rows, columns
    return 24, 80
