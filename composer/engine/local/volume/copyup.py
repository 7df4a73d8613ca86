"""Copy-up: the image's content at a path becomes the first content of an empty volume mounted there.

Everything is opened beneath the image's root by directory fds, and nothing of the image is run. Kept: owners, modes, times, hard links,
extended attributes, devices, fifos and symbolic links. Sockets are not copied, as with Docker. Blocking: run it in a thread.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from composer.engine.local.linux.beneath import open_in_root

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = _READ | os.O_DIRECTORY


def source(root: str | os.PathLike[str], path: str) -> int | None:
    """A directory fd of ``path`` in the image, links followed inside its root; None when there is no such directory."""
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_in_root(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    finally:
        os.close(root_fd)


def copy(from_fd: int, to_fd: int) -> None:
    """Copy the content of one directory into another, and the first one's owner, mode and times onto it."""
    _Copy(os.fstat(from_fd).st_dev).directory(from_fd, to_fd)


@dataclass
class _Copy:
    device: int
    links: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)  # inode -> where its first name was written
    kept: list[int] = field(default_factory=list)

    def directory(self, from_fd: int, to_fd: int, *, top: bool = True) -> None:
        try:
            self._entries(from_fd, to_fd)
            _metadata(from_fd, to_fd)
        finally:
            if top:
                for fd in self.kept:
                    os.close(fd)

    def _entries(self, from_fd: int, to_fd: int) -> None:
        with os.scandir(from_fd) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            self._entry(from_fd, to_fd, name)

    def _entry(self, from_fd: int, to_fd: int, name: str) -> None:
        status = os.stat(name, dir_fd=from_fd, follow_symlinks=False)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            first = self.links.get((status.st_dev, status.st_ino))
            if first is not None:
                os.link(first[1], name, src_dir_fd=first[0], dst_dir_fd=to_fd, follow_symlinks=False)
                return
            kept = os.dup(to_fd)
            self.kept.append(kept)
            self.links[(status.st_dev, status.st_ino)] = (kept, name)
        self._kind(status)(from_fd, to_fd, name, status)

    def _kind(self, status: os.stat_result) -> Callable[[int, int, str, os.stat_result], None]:
        return {stat.S_IFDIR: self._subdirectory, stat.S_IFREG: _file, stat.S_IFLNK: _link, stat.S_IFSOCK: _nothing}.get(
            stat.S_IFMT(status.st_mode), _node
        )

    def _subdirectory(self, from_fd: int, to_fd: int, name: str, status: os.stat_result) -> None:
        os.mkdir(name, 0o700, dir_fd=to_fd)
        inner, outer = os.open(name, _DIRECTORY, dir_fd=from_fd), os.open(name, _DIRECTORY, dir_fd=to_fd)
        try:
            self.directory(inner, outer, top=False)
        finally:
            os.close(inner)
            os.close(outer)


def _file(from_fd: int, to_fd: int, name: str, status: os.stat_result) -> None:
    inner = os.open(name, _READ, dir_fd=from_fd)
    try:
        outer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=to_fd)
        try:
            while os.sendfile(outer, inner, None, 1 << 24):
                pass
            _metadata(inner, outer)
        finally:
            os.close(outer)
    finally:
        os.close(inner)


def _link(from_fd: int, to_fd: int, name: str, status: os.stat_result) -> None:
    os.symlink(os.readlink(name, dir_fd=from_fd), name, dir_fd=to_fd)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=to_fd, follow_symlinks=False)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=to_fd, follow_symlinks=False)


def _node(from_fd: int, to_fd: int, name: str, status: os.stat_result) -> None:
    os.mknod(name, status.st_mode, status.st_rdev, dir_fd=to_fd)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=to_fd, follow_symlinks=False)
    os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=to_fd)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=to_fd, follow_symlinks=False)


def _nothing(from_fd: int, to_fd: int, name: str, status: os.stat_result) -> None:
    """A socket belongs to a process that is not there."""


def _metadata(from_fd: int, to_fd: int) -> None:
    """Owner first (it clears set-id bits), then mode, attributes and times."""
    status = os.fstat(from_fd)
    os.fchown(to_fd, status.st_uid, status.st_gid)
    os.fchmod(to_fd, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(from_fd):
        if not name.startswith(("trusted.overlay.", "user.overlay.")):
            os.setxattr(to_fd, name, os.getxattr(from_fd, name))
    os.utime(to_fd, ns=(status.st_atime_ns, status.st_mtime_ns))
