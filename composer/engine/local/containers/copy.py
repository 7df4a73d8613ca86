"""cp: looking at, reading and writing files of a container, running or not, beneath its root (trap 10)."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO

from composer.engine.errors import EngineError, InvalidArgument, NotFound
from composer.engine.local.archive import ExtractOptions, drain, extract, feed, finish, pack
from composer.engine.local.containers import root
from composer.engine.local.containers.create import ensure_volume
from composer.engine.local.containers.parts import Parts, rfc3339
from composer.engine.local.containers.registry import Held
from composer.engine.local.linux.beneath import open_in_root
from composer.engine.local.runtime import users
from composer.engine.model import PathStat

Within = Callable[[Callable[[int], object]], object]
_GO_TYPES = {  # Go's os.FileMode bits
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_GO_SPECIAL = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


@asynccontextmanager
async def within(parts: Parts, held: Held) -> AsyncIterator[Within]:
    """A function that runs blocking work on the fd of the root. While it does not run the container is locked, and its volumes mounted."""
    async with held.lock:
        if not held.run.phase.alive:
            for row in held.record.mounts:
                if row.kind == "volume":
                    await ensure_volume(parts, held.record, row)
                    await parts.volumes.mount(row.source, held.id)
            try:
                yield lambda work: root.stopped(parts, held, work)
            finally:
                for row in held.record.mounts:
                    if row.kind == "volume":
                        await parts.volumes.unmount(row.source, held.id)
            return
    yield lambda work: root.running(held, work)


async def stat_path(parts: Parts, held: Held, path: str) -> PathStat:
    """Of a link: the link itself, and where it leads. NotFound."""
    async with within(parts, held) as run:
        found = await finish(lambda: run(lambda fd: _stat(fd, path, held)))
    assert isinstance(found, PathStat)
    return found


def _stat(root_fd: int, path: str, held: Held) -> PathStat:
    try:
        fd = open_in_root(root_fd, path, os.O_PATH | (0 if path.endswith(("/", "/.")) else os.O_NOFOLLOW))
    except OSError as error:
        raise _missing(path, held, error) from error
    try:
        status = os.fstat(fd)
        target = _link_target(fd, root_fd, path) if stat.S_ISLNK(status.st_mode) else ""
    finally:
        os.close(fd)
    name = posixpath.basename(path.rstrip("/")) or "/"
    return PathStat(name=name, size=status.st_size, mode=go_mode(status.st_mode), mtime=rfc3339(status.st_mtime_ns), link_target=target)


def _link_target(link_fd: int, root_fd: int, path: str) -> str:
    """Where a link leads, as an absolute path in the container."""
    target = os.readlink("", dir_fd=link_fd)
    base = posixpath.dirname(posixpath.join("/", path))
    return posixpath.normpath(posixpath.join(base, target))


def go_mode(mode: int) -> int:
    """st_mode as Go's os.FileMode."""
    bits = mode & 0o777 | _GO_TYPES.get(stat.S_IFMT(mode), 0)
    for unix, go in _GO_SPECIAL:
        if mode & unix:
            bits |= go
    return bits


def _missing(path: str, held: Held, error: OSError) -> EngineError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return NotFound(f"Could not find the file {path} in container {held.name}")
    return EngineError(f"cannot look at {path} in container {held.name}: {(error.strerror or '').lower()}")


async def get_archive(parts: Parts, held: Held, path: str) -> AsyncIterator[bytes]:
    """A tar whose top entry has the path's last name. NotFound."""
    name = posixpath.basename(path.rstrip("/")) or "/"

    def work(sink: BinaryIO, run: Within) -> None:
        run(lambda fd: _pack(fd, path, name, sink, held))

    async with within(parts, held) as run:
        async for chunk in drain(lambda sink: work(sink, run)):
            yield chunk


def _pack(root_fd: int, path: str, name: str, sink: BinaryIO, held: Held) -> None:
    _stat(root_fd, path, held)  # tells what is missing in Docker's words
    pack(root_fd, path, sink, name="." if name == "/" else name)


async def put_archive(
    parts: Parts, held: Held, path: str, tar: AsyncIterator[bytes], *, no_overwrite_dir_non_dir: bool, copy_uid_gid: bool
) -> None:
    """Extract into a directory. NotFound; InvalidArgument: it is no directory, or cannot be written to."""

    def work(source: BinaryIO, run: Within) -> None:
        run(lambda fd: _extract(fd, path, source, held, no_overwrite_dir_non_dir, copy_uid_gid))

    async with within(parts, held) as run:
        await feed(tar, lambda source: work(source, run))


def _extract(root_fd: int, path: str, source: BinaryIO, held: Held, keep_kinds: bool, own: bool) -> None:
    try:
        fd = open_in_root(root_fd, path, os.O_PATH)
    except OSError as error:
        raise _missing(path, held, error) from error
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise InvalidArgument("extraction point is not a directory")
        if os.statvfs(fd).f_flag & os.ST_RDONLY or (held.record.config.host_config.readonly_rootfs and _is_root_device(root_fd, fd)):
            raise InvalidArgument("container rootfs is marked read-only")
    finally:
        os.close(fd)
    chown = None
    if own and held.record.config.user:  # as dockerd: without a user of its own the archive's owners stay
        user = users.lookup(root_fd, held.record.config.user)
        chown = (user.uid, user.gid)
    extract(source, root_fd, at=path, options=ExtractOptions(chown=chown, no_overwrite_dir_non_dir=keep_kinds))


def _is_root_device(root_fd: int, fd: int) -> bool:
    return os.fstat(root_fd).st_dev == os.fstat(fd).st_dev


async def export(parts: Parts, held: Held) -> AsyncIterator[bytes]:
    """The whole root, without what is mounted in it."""
    async with held.lock:
        if held.run.phase.alive:
            rootfs = parts.bundle(held).rootfs

            def live(sink: BinaryIO) -> None:
                fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    pack(fd, "/", sink, name="")
                finally:
                    os.close(fd)

            work = live
        else:

            def still(sink: BinaryIO) -> None:
                root.stopped(parts, held, lambda fd: pack(fd, "/", sink, name=""), volumes=False)

            work = still
        async for chunk in drain(work):
            yield chunk
