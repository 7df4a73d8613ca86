"""A directory that is in memory: the run directory's own tmpfs, or, where that lies on a disk, a small tmpfs of ours.

Source: tmpfs(5), mount(2).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from composer.engine.errors import Unavailable
from composer.engine.local.linux.mount import mount_new, unmount_all

_MEMORY = ("tmpfs", "ramfs")
_SIZE = "64m"


def in_memory(directory: Path) -> None:
    """``directory`` is there, root's alone, and in memory afterwards. Blocking. Unavailable: it cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        kind = file_system(directory)
        if kind not in _MEMORY:
            _mount(directory)
            kind = file_system(directory)
        os.chmod(directory, 0o700)
    except OSError as error:
        raise Unavailable(
            f"decrypted secrets may lie in memory only, and no tmpfs can be mounted at {directory}: {error.strerror}",
            hint="let the daemon's run directory be on tmpfs: composer engine serve --run /run/composer",
        ) from error
    if kind not in _MEMORY:
        raise Unavailable(f"decrypted secrets may lie in memory only, and {directory} is on {kind}")


def _mount(directory: Path) -> None:
    options: list[tuple[str, str | None]] = [("size", _SIZE), ("mode", "0700")]
    try:
        mount_new("tmpfs", directory, [*options, ("noswap", None)], source="composer-secrets")
    except OSError:  # before Linux 6.4 a tmpfs cannot be kept out of the swap
        mount_new("tmpfs", directory, options, source="composer-secrets")


def release(directory: Path) -> None:
    """Unmount it when nothing is in it any more. Blocking; not there is fine."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if any(directory.iterdir()):
            return
        unmount_all(directory)
        with suppress(OSError):
            directory.rmdir()


def file_system(path: Path) -> str:
    """The type of the file system that ``path`` is on (proc_pid_mountinfo(5))."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            head, _, tail = line.partition(" - ")
            if head.split()[2] == wanted:
                return tail.split()[0]
    return "an unknown file system"
