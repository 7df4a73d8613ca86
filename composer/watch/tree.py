"""What a rule's path holds, kept up to date path by path, and what a container must have of it. Blocking: it looks at files.

Paths are relative to the rule's; "" is the rule's path itself, when it is a file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from composer.watch import look
from composer.watch.look import DIRECTORY, Entry
from composer.watch.model import Rule


@dataclass(frozen=True)
class Delta:
    """What a look found: ``changed`` is there and new or different, ``gone`` was there."""

    changed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)

    def __len__(self) -> int:
        return len(self.changed) + len(self.gone)

    def __or__(self, other: Delta) -> Delta:
        """First this, then ``other``."""
        return Delta((self.changed - other.gone) | other.changed, (self.gone - other.changed) | other.gone)


@dataclass
class Tree:
    """``entries``: what is meant and there. ``touched``: what a container must be brought up to: all that changed since we look."""

    rule: Rule
    entries: dict[str, Entry] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    cost: float = 0.0  # seconds of processor time that a look at everything takes
    _signatures: dict[str, tuple[Entry, str]] = field(default_factory=dict)
    _given: dict[str, str] = field(default_factory=dict)  # the signature with which a path was last called changed

    def __post_init__(self) -> None:
        self.sieve = look.sieve_of(self.rule)

    def begin(self) -> None:
        """The first look: what is there is taken for what containers have, unless the rule wants an initial sync."""
        self.entries = self._all()
        if self.rule.initial_sync:
            self.touched = set(self.entries)

    def rescan(self) -> Delta:
        """Look at everything (events may have been lost, or the ignore file has changed)."""
        before, self.sieve = self.sieve, look.sieve_of(self.rule)
        if before != self.sieve:
            for path in [path for path in self.entries if not self.sieve.passes(path)]:
                self._drop(path)  # it is not meant any more, but not gone either: containers keep it
        return self._become(self._all(), None)

    def _drop(self, path: str) -> None:
        del self.entries[path]
        self.touched.discard(path)
        self._signatures.pop(path, None)
        self._given.pop(path, None)

    def update(self, paths: Iterable[str]) -> Delta:
        """Look at these absolute paths. A directory is looked through: what was made in it at once is not told one by one."""
        inners = {inner for path in paths if (inner := self._inner(path)) is not None}
        if "." in inners or self._is_behind_link({os.path.dirname(inner) for inner in inners}):
            return self.rescan()
        now: dict[str, Entry] = {}
        directories: list[tuple[str, Entry]] = []
        gone: set[str] = set()
        for inner in inners:
            found = look.entry(os.path.join(self.rule.path, inner))
            if found is None:
                gone.add(inner)
            elif found.kind == DIRECTORY:
                directories.append((inner, found))
            elif self.sieve.passes(inner):
                now[inner] = found
                gone.add(inner + "/")  # should it have been a directory before
        total = self._become(now, self.entries.keys() & now.keys())
        for inner, found in directories:
            total |= self._directory(inner, found)
        return total | self._vanish(gone)

    def _inner(self, path: str) -> str | None:
        if path == self.rule.path:
            return "."
        top = self.rule.path.rstrip("/") + "/"
        return path[len(top) :] if path.startswith(top) else None

    def _is_behind_link(self, directories: set[str]) -> bool:
        """Has a directory on the way become a link? Then nothing is beneath it any more."""
        asked: set[str] = set()
        for directory in directories:
            while directory and directory not in asked:
                asked.add(directory)
                if os.path.islink(os.path.join(self.rule.path, directory)):
                    return True
                directory = os.path.dirname(directory)
        return False

    def _directory(self, inner: str, found: Entry) -> Delta:
        if self.sieve.prunes(inner):
            return Delta()
        now = dict(look.beneath(self.rule.path, self.sieve, inner))
        if self.sieve.passes(inner):
            now[inner] = found
        return self._become(now, {path for path in self.entries if path == inner or path.startswith(inner + "/")})

    def _vanish(self, gone: set[str]) -> Delta:
        """Nothing is at these paths any more; "x/": nothing beneath x."""
        if not gone:
            return Delta()
        tops = {path.rstrip("/") for path in gone}
        lost = {path for path in self.entries if path in gone or _beneath(path, tops)}
        return self._become({}, lost)

    def _become(self, now: dict[str, Entry], before: set[str] | None) -> Delta:
        """``now`` is there, of what was known as ``before`` (None: everything)."""
        known = set(self.entries) if before is None else before
        changed = {path for path, found in now.items() if _differs(self.entries.get(path), found)}
        gone = known - now.keys()
        for path in gone:
            self.entries.pop(path, None)
            self._signatures.pop(path, None)
        self.entries.update(now)
        self.touched |= changed | gone
        return Delta(frozenset(changed), frozenset(gone))

    def _all(self) -> dict[str, Entry]:
        began = time.thread_time()
        try:
            return self._whole()
        finally:
            self.cost = time.thread_time() - began

    def _whole(self) -> dict[str, Entry]:
        top = look.entry(self.rule.path, follow=True)
        if top is None:
            return {}
        if top.kind == DIRECTORY:
            return dict(look.beneath(self.rule.path, self.sieve))
        return {"": top} if self.sieve.passes("") else {}

    # -- for containers --------------------------------------------------------------------------------------------------------

    def source(self, inner: str) -> str:
        return os.path.join(self.rule.path, inner) if inner else self.rule.path

    def place(self, inner: str) -> tuple[str, str]:
        """The target directory in the container, and the path beneath it."""
        if inner:
            return self.rule.target, inner
        above, _, name = self.rule.target.rpartition("/")
        return above or "/", name

    def wanted(self) -> dict[str, str]:
        """The signature of each touched path that is there; what cannot be read now is left out."""
        found = {inner: self._signature(inner, entry) for inner in self.touched if (entry := self.entries.get(inner)) is not None}
        return {inner: said for inner, said in found.items() if said is not None}

    def real(self, delta: Delta) -> Delta:
        """``delta`` without what has the content and mode that it had when this was asked last (a `touch`, a save of the same)."""
        changed = set()
        for inner in delta.changed:
            entry = self.entries.get(inner)
            said = None if entry is None else self._signature(inner, entry)
            if said is None:
                continue
            if self._given.get(inner) != said:
                changed.add(inner)
            self._given[inner] = said
        for inner in delta.gone:
            self._given.pop(inner, None)
        return Delta(frozenset(changed), delta.gone - self.entries.keys())

    def _signature(self, inner: str, entry: Entry) -> str | None:
        """None: it cannot be read now; its own change will tell when it can."""
        kept = self._signatures.get(inner)
        if kept is None or kept[0] != entry:
            try:
                kept = (entry, look.signed(self.source(inner), entry))
            except OSError:
                return None
            self._signatures[inner] = kept
        return kept[1]


def _differs(before: Entry | None, now: Entry) -> bool:
    return before is None or before.kind != now.kind or before.stamp != now.stamp or before.link != now.link


def _beneath(path: str, tops: set[str]) -> bool:
    at = path.find("/")
    while at > 0:
        if path[:at] in tops:
            return True
        at = path.find("/", at + 1)
    return False
