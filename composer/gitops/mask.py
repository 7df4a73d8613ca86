"""Secrets that were decrypted, so that no text which leaves here shows one."""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST = 4  # characters: hiding a shorter one would blank whole texts
HIDDEN = "********"
_MOST = 2000


class Mask:
    """Learns values; `hide` replaces them, the longest first."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._ordered: list[str] = []

    def learn(self, values: Iterable[str]) -> None:
        """A value of several lines is hidden as a whole and line by line."""
        found = {text for value in values for text in (value, value.strip(), *value.splitlines()) if len(text) >= SHORTEST}
        if not found <= self._values:
            self._values |= found
            self._ordered = sorted(self._values, key=lambda text: (-len(text), text))[:_MOST]

    def hide(self, text: str) -> str:
        for value in self._ordered:
            if value in text:
                text = text.replace(value, HIDDEN)
        return clean(text)


def clean(text: str) -> str:
    """What a repository or its server says, without what would move a terminal's cursor or change its colours."""
    return text if text.isprintable() else "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
