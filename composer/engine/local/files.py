"""Writing and deleting files so that nothing half-written is ever seen and nothing outside is ever deleted."""

from __future__ import annotations

import ctypes
import os
import stat
from pathlib import Path

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
    """Delete ``path`` and all beneath it; what is mounted there is unmounted first, never emptied. Missing is fine.

    Works by directory fds, follows no link and crosses no device, so neither a race nor a mount that stays can lead it elsewhere.
    Raises OSError (EXDEV) when another file system is still there.
    """
    unmount_beneath(path)
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove_entry(parent, path.name, os.fstat(parent).st_dev)
    except FileNotFoundError:
        return
    finally:
        os.close(parent)


def _remove_entry(directory: int, name: str, device: int) -> None:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.unlink(name, dir_fd=directory)
        return
    if status.st_dev != device:
        raise OSError(18, "another file system is mounted there", name)
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        with os.scandir(fd) as entries:
            names = [entry.name for entry in entries]
        for child in names:
            _remove_entry(fd, child, device)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=directory)
