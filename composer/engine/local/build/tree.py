"""A directory that COPY and ADD read: the build context, a named context, another stage's or image's root.

All paths are resolved beneath the tree's root (openat2), so no link in it leads out. What .dockerignore excludes is not there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from composer.engine.ignore import Ignore, compiled
from composer.engine.local.linux.beneath import open_in_root

_MAGIC = frozenset("*?[\\")
_BLOCK = 1 << 20
_KNOWN: OrderedDict[tuple[int, ...], str] = OrderedDict()  # (device, inode, size, mtime, ctime) -> digest of the content
_KNOWN_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree. ``path``: relative to the root, "" for the root itself; ``target``: of a symbolic link."""

    path: str
    status: os.stat_result
    target: str = ""

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


class Tree:
    """Opened by ``with``; ``own``: its owners are kept when it is copied (a stage's, an image's), else they become root (a context's)."""

    def __init__(self, root: Path, ignore: Ignore | None = None, *, own: bool = False) -> None:
        self.root = root
        self.ignore = ignore or Ignore()
        self.own = own
        self.fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        return open_in_root(self.fd, path or ".", flags)

    def entry(self, path: str, *, follow: bool = False) -> Entry:
        """Raises FileNotFoundError, also for what is ignored."""
        path = path.strip("/")
        if path and self.ignore.excludes(path) and not self.ignore.takes_back:
            raise FileNotFoundError(path)
        fd = self.open(path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
        try:
            status = os.fstat(fd)
            target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else ""
        finally:
            os.close(fd)
        return Entry(path, status, target)

    def names(self, path: str) -> list[str]:
        fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def walk(self, path: str) -> Iterator[Entry]:
        """Everything beneath ``path``, not itself: parents first, names in order, without what is ignored."""
        for name in self.names(path):
            child = f"{path}/{name}" if path else name
            entry = self.entry(child) if not self.ignore else self._entry_if_kept(child)
            if entry is None:
                continue
            if not (self.ignore and self.ignore.excludes(child)):
                yield entry
            if entry.is_directory:
                yield from self.walk(child)

    def _entry_if_kept(self, path: str) -> Entry | None:
        excluded = self.ignore.excludes(path)
        if excluded and not self.ignore.takes_back:
            return None
        fd = self.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            status = os.fstat(fd)
            target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else ""
        finally:
            os.close(fd)
        return None if excluded and not stat.S_ISDIR(status.st_mode) else Entry(path, status, target)

    def match(self, pattern: str) -> list[str]:
        """The paths that a COPY source names: itself, or what its wildcards match, sorted."""
        pattern = os.path.normpath("/" + pattern).strip("/")
        if not _MAGIC & set(pattern):
            return [pattern]
        found = [""]
        for part in pattern.split("/"):
            if not _MAGIC & set(part):
                found = [f"{base}/{part}".strip("/") for base in found if self._exists(f"{base}/{part}")]
                continue
            rule = compiled(part)
            found = [
                f"{base}/{name}".strip("/")
                for base in found
                if self._is_directory(base)
                for name in self.names(base)
                if rule.fullmatch(name)
            ]
        return sorted(path for path in found if not self.ignore.excludes(path) or self.ignore.takes_back)

    def _exists(self, path: str) -> bool:
        try:
            self.entry(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _is_directory(self, path: str) -> bool:
        try:
            return self.entry(path, follow=True).is_directory
        except (FileNotFoundError, NotADirectoryError):
            return False

    def digest(self, path: str) -> str:
        """A digest of all at and beneath ``path``: names, kinds, modes, (owners when they are kept,) contents. Not times."""
        top = self.entry(path, follow=True)
        total = hashlib.sha256()
        for entry in [top, *(self.walk(path) if top.is_directory else ())]:
            mode, owner = entry.status.st_mode, (entry.status.st_uid, entry.status.st_gid) if self.own else ()
            content = self._content(entry.path) if stat.S_ISREG(mode) else entry.target
            relative = entry.path[len(path) :] if entry is not top else ""
            total.update(repr((relative, mode, owner, content)).encode())
        return total.hexdigest()

    def _content(self, path: str) -> str:
        fd = self.open(path)
        try:
            s = os.fstat(fd)
            key = (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
            if key in _KNOWN:
                _KNOWN.move_to_end(key)
                return _KNOWN[key]
            digest = hashlib.sha256()
            while block := os.read(fd, _BLOCK):
                digest.update(block)
        finally:
            os.close(fd)
        _KNOWN[key] = digest.hexdigest()
        if len(_KNOWN) > _KNOWN_LIMIT:
            _KNOWN.popitem(last=False)
        return _KNOWN[key]
