"""Looking at a developer's files: what is at a path, and everything beneath a directory. Links are never followed. Blocking.

What is neither file, link nor directory (a socket, a pipe) is as if it were not there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from composer.engine import signature
from composer.watch.model import Rule
from composer.watch.sieve import Sieve, sieve

FILE, LINK, DIRECTORY = "file", "link", "directory"
_IGNORE_LIMIT = 1 << 20  # bytes of an ignore file that are read


@dataclass(frozen=True, slots=True)
class Entry:
    """``stamp`` differs whenever the content may do; ``link``: where a link leads."""

    kind: str
    mode: int
    size: int = 0
    mtime: float = 0.0
    stamp: tuple[int, ...] = ()
    link: str = ""


def entry(path: str, *, follow: bool = False) -> Entry | None:
    """What is at ``path``; None: nothing that can be synced. ``follow``: of a link, what it leads to."""
    try:
        found = os.stat(path, follow_symlinks=follow)
        if stat.S_ISLNK(found.st_mode):
            return Entry(LINK, 0o777, stamp=(found.st_ino, found.st_mtime_ns), link=os.readlink(path))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    return of(found)


def of(found: os.stat_result) -> Entry | None:
    """An entry of a file or a directory; None for the rest."""
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return Entry(DIRECTORY, mode, stamp=(mode,))
    if stat.S_ISREG(found.st_mode):
        stamp = (mode, found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns)
        return Entry(FILE, mode, found.st_size, found.st_mtime, stamp)
    return None


def beneath(path: str, passes: Sieve, inner: str = "") -> Iterator[tuple[str, Entry]]:
    """Each path beneath the directory ``inner`` of ``path`` that is meant, relative to ``path``, directories before what they hold."""
    left = [inner]
    while left:
        directory = left.pop()
        try:
            names = sorted(os.listdir(os.path.join(path, directory)))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # gone meanwhile, or not ours to read: its own change will be told
        for name in names:
            one = f"{directory}/{name}" if directory else name
            found = entry(os.path.join(path, one))
            if found is None:
                continue
            if passes.passes(one):
                yield one, found
            if found.kind == DIRECTORY and not passes.prunes(one):
                left.append(one)


def signed(path: str, found: Entry) -> str:
    """The signature of what is at ``path``. OSError: it cannot be read (any more)."""
    if found.kind == LINK:
        return signature.of_link(found.link)
    if found.kind == DIRECTORY:
        return signature.of_directory(found.mode)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return signature.of_file(found.mode, signature.digest_of(fd))
    finally:
        os.close(fd)


def ignore_files(rule: Rule) -> tuple[str, ...]:
    """Where the ignore file of the rule's build may be; the first that is there holds (docker build's rule)."""
    if not rule.context:
        return ()
    own = (f"{rule.dockerfile}.dockerignore",) if rule.dockerfile else ()
    return (*own, os.path.join(rule.context, ".dockerignore"))


def sieve_of(rule: Rule) -> Sieve:
    """The rule's sieve, with the ignore file as it is now."""
    lines: list[str] = []
    for path in ignore_files(rule):
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read(_IGNORE_LIMIT).splitlines()
        except (FileNotFoundError, NotADirectoryError):
            continue
        break
    return sieve(rule.path, rule.ignore, rule.include, rule.context, lines)
