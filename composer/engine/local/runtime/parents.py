"""The cgroups above the containers': made for the first one, removed with the last, if it was we who made them.

A user may name a parent that is theirs, with limits of their own: that one stays. What we made is marked in the run directory, before it
is made, so that a later daemon knows it too.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from composer.engine.local.layout import Layout
from composer.engine.local.runtime.cgroup import Hierarchies


class Parents:
    """Call `enter` before a container is made beneath a parent, `leave` after one is gone and while none is being made."""

    def __init__(self, hierarchies: Hierarchies, layout: Layout) -> None:
        self._hierarchies = hierarchies
        self._layout = layout
        self._marks = layout.run / "cgroups"

    @property
    def conmon(self) -> str:
        """Where conmons live, out of the daemon's own cgroups: their fate is not the daemon's."""
        return f"{self._layout.cgroups}/conmon"

    def enter(self, parent: str) -> None:
        """Blocking. Raises EngineError when the controllers cannot be handed down."""
        if not self._own(parent) and (first := self._first_missing(parent)):
            self._marks.mkdir(mode=0o700, exist_ok=True)
            self._mark(parent).write_text(first)
        self._hierarchies.prepare(parent)

    def leave(self, parent: str) -> None:
        """Remove what is empty now. Short: system calls on a few directories."""
        self._hierarchies.delete_empty(self.conmon)
        default = self._layout.default_cgroups
        if parent == default:
            self._hierarchies.delete_empty(f"{default}/conmon")
            self._hierarchies.delete_empty(default)
        if self._own(parent) or parent == default:  # a unit's own outlives us
            return
        with contextlib.suppress(FileNotFoundError):
            first = self._mark(parent).read_text()
            at = parent
            while len(at) >= len(first) > 1 and self._hierarchies.delete_empty(at):
                at = at.rpartition("/")[0]
            if len(at) < len(first):
                self._mark(parent).unlink(missing_ok=True)
        if not self._layout.cgroup_parent:
            self._hierarchies.delete_empty(self._layout.cgroups)

    def _own(self, parent: str) -> bool:
        return parent == self._layout.cgroups

    def _mark(self, parent: str) -> Path:
        return self._marks / hashlib.sha256(parent.encode()).hexdigest()[:16]

    def _first_missing(self, parent: str) -> str:
        """The topmost part of ``parent`` that is not there yet; "" when all is."""
        at = ""
        for part in [p for p in parent.split("/") if p]:
            at = f"{at}/{part}"
            if not self._hierarchies.main(at).exists():
                return at
        return ""
