"""A container's root directory as its processes see it, as a directory fd: for cp, export and the like. Blocking.

Of a running container it is /proc/PID/root. Of a stopped one the snapshot and the volumes are mounted in a mount namespace that lives as
long as one thread: nothing of it is seen outside, and nothing is left of it, even after a crash. Paths are opened beneath the fd only
(trap 10).
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from composer.engine.errors import NotRunning
from composer.engine.local.containers.create import make_directory
from composer.engine.local.containers.mounting import bind_source
from composer.engine.local.containers.parts import Parts, handle_of
from composer.engine.local.containers.record import MountRow
from composer.engine.local.containers.registry import Held
from composer.engine.local.files import remove_tree
from composer.engine.local.linux import mount as linux
from composer.engine.local.linux.beneath import make_directories, open_in_root, open_parent
from composer.engine.local.linux.namespace import CLONE_FS, CLONE_NEWNS, in_own_thread, unshare

T = TypeVar("T")


def opened(held: Held) -> int:
    """An O_PATH fd of a running container's root; the caller closes it. NotRunning: it ended in this moment."""
    if not held.run.phase.alive:
        raise NotRunning(f"container {held.id} is not running")
    init = handle_of(held).init
    try:
        pidfd = init.open()
        try:
            fd = os.open(f"/proc/{init.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                signal.pidfd_send_signal(pidfd, 0)  # still the same process: so it was its root
            except BaseException:
                os.close(fd)
                raise
        finally:
            os.close(pidfd)
    except OSError as error:
        raise NotRunning(f"container {held.id} is not running") from error
    return fd


def running(held: Held, work: Callable[[int], T]) -> T:
    """``work(fd)`` on the root of a running container. NotRunning: it ended in this moment."""
    fd = opened(held)
    try:
        return work(fd)
    finally:
        os.close(fd)


def stopped(parts: Parts, held: Held, work: Callable[[int], T], *, volumes: bool = True) -> T:
    """``work(fd)`` on the root of a container that does not run; its lock is held, its volumes are mounted."""
    directory = parts.layout.container(held.id)
    target = parts.layout.temporary / f"root-{os.urandom(8).hex()}"
    lowers = parts.layers.paths(parts.images.resolve(held.record.image))

    def enter() -> T:
        unshare(CLONE_NEWNS | CLONE_FS)
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        parts.snapshots.mount_here(held.name, lowers, target, upper=directory / "upper", work=directory / "work")
        if volumes:
            for row in held.record.mounts:
                _mount(parts, row, target)
        fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return work(fd)
        finally:
            os.close(fd)

    make_directory(directory)
    target.mkdir(mode=0o700)
    try:
        return in_own_thread(enter)
    finally:
        remove_tree(target)


def _mount(parts: Parts, row: MountRow, root: Path) -> None:
    if row.kind == "volume":
        if row.copy:
            parts.volumes.fill(row.source, root, row.destination, in_place=True)
        source_root = os.open(parts.layout.volumes / row.source / "_data", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            source = open_in_root(source_root, row.subpath or ".", os.O_PATH)
        finally:
            os.close(source_root)
    elif row.kind == "bind":
        bind_source(row)
        source = os.open(row.source, os.O_PATH | os.O_CLOEXEC)
    else:
        return  # a tmpfs has no content while nothing runs
    try:
        _bind(source, row, root)
    finally:
        os.close(source)


def _bind(source: int, row: MountRow, root: Path) -> None:
    is_directory = os.path.isdir(f"/proc/self/fd/{source}")
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        point = _point(root_fd, row.destination, is_directory)
    finally:
        os.close(root_fd)
    try:
        linux.bind(f"/proc/self/fd/{source}", f"/proc/self/fd/{point}", recursive=row.recursive)
        if not row.writable:
            again = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                top = open_in_root(again, row.destination, os.O_PATH)
            finally:
                os.close(again)
            try:
                linux.mount("none", f"/proc/self/fd/{top}", None, linux.MS_BIND | linux.MS_REMOUNT | linux.MS_RDONLY)
            finally:
                os.close(top)
    finally:
        os.close(point)


def _point(root_fd: int, destination: str, is_directory: bool) -> int:
    """The mount point, made when it is missing, as the runtime makes it."""
    if is_directory:
        return make_directories(root_fd, destination)
    try:
        return open_in_root(root_fd, destination, os.O_PATH)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    os.close(make_directories(root_fd, os.path.dirname(destination)))
    parent, name = open_parent(root_fd, destination)
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent))
    finally:
        os.close(parent)
    return open_in_root(root_fd, destination, os.O_PATH)
