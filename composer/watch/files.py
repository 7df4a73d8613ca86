"""The files that a stack is made of, and those that are no part of it but change what is built: which of them have really changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

_LIMIT = 64 << 20  # bytes of a file that are looked at, as of one that is loaded


@dataclass
class Files:
    """Paths with the digest of what they held; editors save without changing, and touch without saving. Blocking."""

    known: dict[str, str] = field(default_factory=dict)
    _real: dict[str, set[str]] = field(default_factory=dict)  # where links lead -> the paths that are meant

    def follow(self, paths: Iterable[str]) -> None:
        """Watch these, and no others."""
        wanted = {path for path in paths if os.path.isabs(path)}
        self.known = {path: self.known.get(path) or _digest(path) for path in wanted}
        self._real = {}
        for path in wanted:
            self._real.setdefault(os.path.realpath(path), set()).add(path)

    @property
    def places(self) -> set[str]:
        """All paths where a change can show."""
        return {*self.known, *self._real}

    def revision(self, paths: Iterable[str]) -> str:
        """Equal when all of these hold the same."""
        return hashlib.sha256(repr(sorted((path, self.known.get(path, "")) for path in paths)).encode()).hexdigest()

    def changed(self, touched: Iterable[str] | None = None) -> set[str]:
        """Of the touched paths (None: of all) those that hold something else now."""
        if touched is None:
            asked = set(self.known)
        else:
            seen = set(touched)
            asked = (seen & self.known.keys()) | set().union(*(self._real.get(path, ()) for path in seen))
        found = set()
        for path in asked:
            digest = _digest(path)
            if digest != self.known[path]:
                self.known[path] = digest
                found.add(path)
        return found


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read(_LIMIT)).hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"problem {error.errno}"
