"""Which directories are watched: as few as hold what is meant. Blocking: it looks through the trees.

watchfiles watches a directory alone (**flat**) or with all beneath (**deep**), and in a deep one it follows links and knows no exception.
So a directory with something that is pruned (node_modules, .git) or a link to a directory beneath it is flat, and its other directories
are deep, or flat in turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from composer.watch.sieve import Sieve


@dataclass
class Cover:
    """Absolute paths of directories that exist."""

    flat: set[str] = field(default_factory=set)
    deep: set[str] = field(default_factory=set)

    def __or__(self, other: Cover) -> Cover:
        return Cover(self.flat | other.flat, self.deep | other.deep)


def of_trees(sieves: Iterable[Sieve]) -> Cover:
    """What the rules' paths need; of one that does not exist, the nearest directory above it that does."""
    found = Cover()
    for passes in sieves:
        if os.path.isdir(passes.path):
            _tree(passes, found)
        found.flat.add(standing(os.path.dirname(passes.path)))
    return found


def of_files(paths: Iterable[str]) -> Cover:
    """The directories of single files: a file itself cannot be watched, because editors replace it."""
    return Cover(flat={standing(os.path.dirname(path)) for path in paths})


def standing(directory: str) -> str:
    """The directory, or the nearest above it that exists."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory or "/"


def _tree(passes: Sieve, found: Cover) -> None:
    """Depth first, without recursion: a directory is deep when nothing beneath it is an exception."""
    spoilt: set[str] = set()
    closed: set[str] = set()
    order: list[str] = []
    children: dict[str, list[str]] = {}
    left = [""]
    while left:
        inner = left.pop()
        order.append(inner)
        below = children[inner] = []
        if not os.access(os.path.join(passes.path, inner), os.R_OK | os.X_OK):
            closed.add(inner)  # it cannot be watched
            spoilt.add(inner)
            continue
        for one, is_link in _directories(passes.path, inner):
            if is_link or passes.prunes(one):
                spoilt.add(inner)
            else:
                below.append(one)
                left.append(one)
    for inner in reversed(order):
        if any(one in spoilt for one in children[inner]):
            spoilt.add(inner)
    left = [""]
    while left:
        inner = left.pop()
        path = os.path.join(passes.path, inner) if inner else passes.path
        if inner in closed:
            continue
        if inner in spoilt:
            found.flat.add(path)
            left.extend(children[inner])
        else:
            found.deep.add(path)


def _directories(top: str, inner: str) -> list[tuple[str, bool]]:
    """The directories, and links to some, in a directory."""
    found = []
    try:
        with os.scandir(os.path.join(top, inner) if inner else top) as rows:
            for row in rows:
                if row.is_dir():
                    found.append((f"{inner}/{row.name}" if inner else row.name, row.is_symlink()))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return found
