"""Mounts: mount(2), umount2(2), the new mount API (fsopen(2), fsconfig(2), fsmount(2), move_mount(2), mount_setattr(2)), mountinfo."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.engine.local.linux.libc import check, libc, syscall

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 4096, 16384, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 4, 0x40

Path_ = str | os.PathLike[str]


def mount(source: Path_, target: Path_, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    check(
        libc.mount(
            os.fsencode(source), os.fsencode(target), kind.encode() if kind else None, flags, data.encode() if data is not None else None
        ),
        target,
    )


def unmount(target: Path_, flags: int = MNT_DETACH | UMOUNT_NOFOLLOW) -> None:
    """umount2(2); lazy unless told otherwise."""
    check(libc.umount2(os.fsencode(target), flags), target)


def bind(source: Path_, target: Path_, *, recursive: bool = False) -> None:
    mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))


def mount_new(kind: str, target: Path_, options: Sequence[tuple[str, str | None]], *, source: str = "none") -> None:
    """Mount by fsopen/fsconfig/fsmount/move_mount: no bound on the options' length, ``:`` and ``,`` allowed in paths.

    ``options``: (key, value), value None for a flag. For overlay give one ("lowerdir+", path) per layer, topmost first.
    """
    fs = syscall(_FSOPEN, kind.encode(), 1)
    try:
        syscall(_FSCONFIG, fs, _FSCONFIG_SET_STRING, b"source", source.encode(), 0)
        for key, value in options:
            if value is None:
                syscall(_FSCONFIG, fs, _FSCONFIG_SET_FLAG, key.encode(), None, 0)
            else:
                syscall(_FSCONFIG, fs, _FSCONFIG_SET_STRING, key.encode(), os.fsencode(value), 0)
        syscall(_FSCONFIG, fs, _FSCONFIG_CMD_CREATE, None, None, 0)
        tree = syscall(_FSMOUNT, fs, 1, 0)
        try:
            syscall(_MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)
        finally:
            os.close(tree)
    finally:
        os.close(fs)


@dataclass(frozen=True, slots=True)
class MountInfo:
    """A line of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

    mount_id: int
    parent_id: int
    device: str  # "major:minor"
    root: str
    target: str
    options: str
    propagation: tuple[str, ...]
    kind: str
    source: str
    super_options: str


def mounts(pid: int | str = "self") -> Iterator[MountInfo]:
    """The mounts of a process's namespace, in the kernel's order (a later one may cover an earlier)."""
    for line in Path(f"/proc/{pid}/mountinfo").read_text(errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        a, b = left.split(" "), right.split(" ")
        yield MountInfo(int(a[0]), int(a[1]), a[2], _plain(a[3]), _plain(a[4]), a[5], tuple(a[6:]), b[0], _plain(b[1]), b[2])


def _plain(text: str) -> str:
    if "\\" not in text:
        return text
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def mounts_beneath(path: Path_) -> list[str]:
    """The targets of all mounts at or beneath ``path``, innermost first: the order to unmount them in."""
    top = os.path.realpath(path)
    return [m.target for m in mounts() if m.target == top or m.target.startswith(top + "/")][::-1]


def unmount_beneath(path: Path_) -> None:
    """Unmount all that is mounted at or beneath ``path``."""
    for target in mounts_beneath(path):
        try:
            unmount(target)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a twin of a mount unmounted before: it went with it, by propagation
                raise


def unmount_all(target: Path_) -> None:
    """Unmount all that is stacked at ``target`` itself, with what is mounted in it. Not mounted, or not there, is fine.

    Unlike `unmount_beneath` it does not read the list of all mounts, which grows with every container.
    """
    while True:
        try:
            unmount(target)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return
            raise
