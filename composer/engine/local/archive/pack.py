"""Packing a tree into a tar by directory fds: nothing beneath the root is followed out of it, and a live tree may change meanwhile.

Hard links stay links, attributes stay (security.capability among them), sockets are left out as tar cannot hold them. From an overlay
layer ("whiteouts") overlayfs's marks become those of the OCI image specification. The order is that of sorted names, so the same tree
gives the same bytes.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Callable
from typing import IO

from composer.engine.errors import EngineError, NotFound
from composer.engine.local.archive.entry import Entry, Kind
from composer.engine.local.archive.extract import OPAQUE, OPAQUE_ATTRIBUTE, WHITEOUT
from composer.engine.local.archive.write import TarWriter
from composer.engine.local.linux.beneath import open_in_root

_CHUNK = 1 << 20
_DEPTH = 500  # directories that are open at once, one a level; deeper than that no path could name it
_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
}
Include = Callable[[str], bool]  # path relative to the top -> keep it (a directory left out is left out with all beneath)


def pack(
    root_fd: int,
    path: str,
    sink: IO[bytes],
    *,
    name: str | None = None,
    whiteouts: bool = False,
    include: Include | None = None,
) -> None:
    """Write ``path`` of the root ``root_fd`` as a whole tar archive into ``sink``.

    The last part of ``path`` is not followed when it is a link, its parents are followed inside the root. ``name``: what the top is called
    in the archive (None: its own last name); "" leaves the top directory out and packs what is in it.
    Raises NotFound when ``path`` is not there, EngineError when it cannot be read.
    """
    writer = TarWriter(sink)
    packing = _Packing(writer, whiteouts, include)
    try:
        packing.top(root_fd, path, name)
    except FileNotFoundError as error:
        raise NotFound(f"Could not find the file {path}") from error
    except OSError as error:
        raise EngineError(f"cannot pack {packing.current!r}: {error.strerror or error}") from error
    writer.close()


class _Packing:
    def __init__(self, writer: TarWriter, whiteouts: bool, include: Include | None) -> None:
        self._writer = writer
        self._whiteouts = whiteouts
        self._include = include
        self._links: dict[tuple[int, int], str] = {}
        self.current = ""

    def top(self, root_fd: int, path: str, name: str | None) -> None:
        clean = posixpath.normpath("/" + path).strip("/")
        directory, _, last = clean.rpartition("/")
        label = (last or "/") if name is None else name.strip("/")
        parent = open_in_root(root_fd, directory or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            self._tree(parent, last or ".", "" if label == "/" else label)
        finally:
            os.close(parent)

    def _tree(self, parent: int, name: str, label: str) -> None:
        """The entry ``name`` of ``parent`` and all beneath it. Iterative: a hostile tree may be deeper than Python's stack."""
        stack: list[tuple[int, list[tuple[str, str]]]] = []  # an open directory, and what of it is still to be packed
        try:
            self._visit(parent, name, label, "", stack)
            while stack:
                directory, names = stack[-1]
                if not names:
                    stack.pop()
                    os.close(directory)
                    continue
                child, relative = names.pop()
                if self._include is None or self._include(relative):
                    self._visit(directory, child, f"{label}/{relative}" if label else relative, relative, stack)
        finally:
            for directory, _ in stack:
                os.close(directory)

    def _visit(self, parent: int, name: str, label: str, relative: str, stack: list[tuple[int, list[tuple[str, str]]]]) -> None:
        self.current = label
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except FileNotFoundError:
            if not relative:
                raise
            return  # it went while we walked
        try:
            status = os.fstat(fd)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode))
            if kind is None:  # a socket
                return
            if self._whiteouts and kind is Kind.CHARACTER and status.st_rdev == 0:
                directory, _, last = label.rpartition("/")
                self._writer.add_bytes(f"{directory}/{WHITEOUT}{last}".lstrip("/"), b"", mtime=status.st_mtime)
                return
            self._member(fd, kind, status, label)
            if kind is Kind.DIRECTORY:
                if len(stack) >= _DEPTH:
                    raise EngineError(f"cannot pack {label[:80]!r}...: more than {_DEPTH} directories in each other")
                stack.append((_open_directory(fd), _children(fd, relative)))
        finally:
            os.close(fd)

    def _member(self, fd: int, kind: Kind, status: os.stat_result, label: str) -> None:
        entry = Entry(
            name=label,
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            mtime=status.st_mtime,
            xattrs=_xattrs(fd) if kind is not Kind.SYMLINK else {},
        )
        if kind is Kind.DIRECTORY:
            opaque = entry.xattrs.pop(OPAQUE_ATTRIBUTE, b"") == b"y"
            if label:
                self._writer.add(_without_overlay(entry))
            if opaque and self._whiteouts:
                self._writer.add_bytes(f"{label}/{OPAQUE}".lstrip("/"), b"", mtime=status.st_mtime)
            return
        if kind is Kind.SYMLINK:
            entry.link = os.readlink("", dir_fd=fd)
        elif kind in (Kind.CHARACTER, Kind.BLOCK):
            entry.major, entry.minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        elif kind is Kind.FILE:
            self._file(fd, status, _without_overlay(entry))
            return
        self._writer.add(_without_overlay(entry))

    def _file(self, fd: int, status: os.stat_result, entry: Entry) -> None:
        if status.st_nlink > 1:
            key = (status.st_dev, status.st_ino)
            if (first := self._links.get(key)) is not None:
                entry.kind, entry.link, entry.xattrs = Kind.HARDLINK, first, {}
                self._writer.add(entry)
                return
            self._links[key] = entry.name
        entry.size = status.st_size
        with open(f"/proc/self/fd/{fd}", "rb", buffering=0) as file:  # the file that was looked at, whatever its name is now
            self._writer.add(entry)
            left = entry.size
            while left:
                data = file.read(min(left, _CHUNK))
                if not data:  # it shrank: the header is written, so the rest is zeros
                    data = bytes(min(left, _CHUNK))
                self._writer.write(data)
                left -= len(data)


def _open_directory(fd: int) -> int:
    return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)


def _children(fd: int, relative: str) -> list[tuple[str, str]]:
    """(name, path relative to the top) of a directory's entries, in the order in which they are popped: the last first."""
    readable = _open_directory(fd)
    try:
        names = sorted(os.listdir(readable), reverse=True)
    finally:
        os.close(readable)
    return [(name, f"{relative}/{name}" if relative else name) for name in names]


def _xattrs(fd: int) -> dict[str, bytes]:
    path = f"/proc/self/fd/{fd}"  # an O_PATH fd has no f*xattr calls of its own
    found = {}
    try:
        for key in os.listxattr(path):
            try:
                found[key] = os.getxattr(path, key)
            except OSError as error:
                if error.errno != errno.ENODATA:  # removed since it was listed
                    raise
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EACCES):
            raise
    return found


def _without_overlay(entry: Entry) -> Entry:
    """Without the attributes that are the host's: overlayfs's bookkeeping (origin, impure, ...) and security labels."""
    if entry.xattrs:
        kept = {k: v for k, v in entry.xattrs.items() if not k.startswith(("trusted.overlay.", "user.overlay.", "security.selinux"))}
        entry.xattrs = kept
    return entry
