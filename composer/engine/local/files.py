"""Writing and deleting files so that nothing half-written is ever seen and nothing outside is ever deleted."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from composer.engine.local.linux.beneath import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, open_in_root
from composer.engine.local.linux.libc import check, libc
from composer.engine.local.linux.mount import unmount_beneath


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write beside, (fsync,) rename over. ``durable``: it is on disk, with its directory entry, when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: Path) -> None:
    """syncfs(2): all that was written to the file system of ``path`` is on disk. Done before the row that says a layer is whole."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(libc.syncfs(ctypes.c_int(fd)))
    finally:
        os.close(fd)


def remove_tree(path: Path) -> None:
    """Delete ``path`` and all beneath it; what is mounted there is unmounted, never emptied. Missing is fine.

    Works by directory fds, follows no link and crosses no mount, so neither a race nor a mount that stays can lead it elsewhere.
    Mounts are looked for only where one was met: the list of all mounts is long when many containers run.
    Raises OSError (EXDEV, EBUSY) when something is still mounted there.
    """
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        try:
            remove_at(parent, path.name)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EBUSY):
                raise
            unmount_beneath(path)
            remove_at(parent, path.name)
    except FileNotFoundError:
        return
    finally:
        os.close(parent)


def remove_at(directory: int, name: str) -> None:
    """Delete the entry ``name`` of an open directory and all beneath it, as `remove_tree` but without unmounting.

    Iterative, with one fd open at a time: a container can make a tree deeper than Python's stack and the limit of open files.
    """
    try:
        os.unlink(name, dir_fd=directory)
        return
    except IsADirectoryError:
        pass
    fd = _enter(directory, name)
    above: list[tuple[str, list[str], tuple[int, int]]] = []  # name, its parent's other names, its parent's identity
    left = os.listdir(fd)
    try:
        while left or above:
            if left:
                child = left.pop()
                try:
                    os.unlink(child, dir_fd=fd)
                except FileNotFoundError:
                    continue
                except IsADirectoryError:
                    above.append((child, left, _identity(fd)))
                    fd = _replace(fd, _enter(fd, child))
                    left = os.listdir(fd)
            else:
                child, left, parent = above.pop()
                fd = _replace(fd, os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd))
                if _identity(fd) != parent:  # moved meanwhile: what we stand in now is not ours to empty
                    raise OSError(errno.EXDEV, "the directory was moved while it was deleted", child)
                os.rmdir(child, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=directory)


def tree_size(path: Path) -> int:
    """Bytes of what is beneath a directory but directories, each inode once. Blocking."""
    total, seen = 0, set()
    for _, _, names, directory in os.fwalk(path, follow_symlinks=False):
        for name in names:
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue  # a running container removed it in this moment
            if status.st_ino not in seen:
                total += status.st_size
                seen.add(status.st_ino)
    return total


def _enter(directory: int, name: str) -> int:
    """The directory ``name``, never through a link nor into something mounted on it (bind mounts of the same disk too)."""
    return open_in_root(directory, name, os.O_RDONLY | os.O_DIRECTORY, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _replace(old: int, new: int) -> int:
    os.close(old)
    return new
