"""Overlay snapshots: read-only layers beneath, a container's own directory on top, one mount.

Source: Documentation/filesystems/overlayfs.rst. Layers are given one by one ("lowerdir+", Linux 6.5), so neither their number (up to 500)
nor characters in their paths matter; older kernels get mount(2) with short relative links. ``volatile`` leaves out the sync at unmount,
which waits for everything that is dirty on the disk (FACTS 2); the mark that it leaves is removed before the next mount.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from composer.engine.errors import EngineError
from composer.engine.local import files
from composer.engine.local.archive import finish
from composer.engine.local.archive.extract import OPAQUE_ATTRIBUTE
from composer.engine.local.layout import Layout
from composer.engine.local.linux import mount as mounts
from composer.engine.local.linux.namespace import CLONE_FS, in_own_thread, unshare
from composer.engine.model import Change

_MODIFIED, _ADDED, _DELETED = 0, 1, 2


class Snapshots:
    """Mounts and unmounts; knows no containers."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    async def mount(
        self, key: str, lowers: Sequence[Path], target: Path, *, upper: Path | None, work: Path | None, volatile: bool = True
    ) -> None:
        """Mount ``lowers`` (topmost first) beneath ``upper`` at ``target``; all directories are made when missing.

        Without ``upper`` and ``work`` it is read-only. ``key`` names the snapshot in errors. EngineError when the kernel refuses.
        """
        await finish(lambda: self.mount_here(key, lowers, target, upper=upper, work=work, volatile=volatile))

    def mount_here(
        self, key: str, lowers: Sequence[Path], target: Path, *, upper: Path | None, work: Path | None, volatile: bool = True
    ) -> None:
        """`mount`, blocking (0.5 ms)."""
        target.mkdir(parents=True, exist_ok=True)
        if not lowers:  # an image without layers
            empty = self._layout.root / "empty"
            empty.mkdir(mode=0o755, exist_ok=True)
            lowers = [empty]
        options: list[tuple[str, str | None]] = [("lowerdir+", str(path)) for path in lowers]
        if upper is not None and work is not None:
            _prepare(lowers, upper, work)
            options += [("upperdir", str(upper)), ("workdir", str(work))] + ([("volatile", None)] if volatile else [])
        elif len(lowers) == 1:  # overlayfs wants two layers when none is writable
            mounts.bind(lowers[0], target)
            mounts.mount("none", target, None, mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY)
            return
        try:
            self._overlay(lowers, target, options)
        except OSError as error:
            raise EngineError(f"cannot mount the file system of {key}: {error.strerror or error} ({len(lowers)} layers)") from error

    def _overlay(self, lowers: Sequence[Path], target: Path, options: list[tuple[str, str | None]]) -> None:
        try:
            mounts.mount_new("overlay", target, options)
        except OSError as first:
            try:
                self._mount_old(lowers, target, [option for option in options if option[0] != "lowerdir+"])
            except OSError:
                raise first from None

    def _mount_old(self, lowers: Sequence[Path], target: Path, options: list[tuple[str, str | None]]) -> None:
        """mount(2): 4 KiB of options, parted by ``:`` and ``,``; hence short links, relative to a thread's own directory."""
        links = self._layout.temporary / f"lower-{os.urandom(4).hex()}"
        links.mkdir()
        named = []
        for key, value in options:
            if value is not None:
                (links / key).symlink_to(value)
            named.append(f"{key}={key}" if value is not None else key)
        for number, lower in enumerate(lowers):
            (links / str(number)).symlink_to(lower)
        joined = ":".join(map(str, range(len(lowers))))

        def work() -> None:
            unshare(CLONE_FS)
            os.chdir(links)
            mounts.mount("overlay", target, "overlay", 0, ",".join([f"lowerdir={joined}", *named]))

        try:
            in_own_thread(work)
        finally:
            files.remove_tree(links)

    async def unmount(self, target: Path) -> None:
        """Unmount what is at ``target`` (and in it); not mounted is fine."""
        await finish(lambda: mounts.unmount_beneath(target))

    def changes(self, upper: Path, lowers: Sequence[Path]) -> list[Change]:
        """What ``upper`` changes, as Docker's diff tells it, sorted by path. Blocking."""
        return sorted(_changes(upper, lowers), key=lambda change: change.path)

    def usage(self, upper: Path) -> int:
        """Bytes of the files in ``upper``. Blocking."""
        return files.tree_size(upper)


def _prepare(lowers: Sequence[Path], upper: Path, work: Path) -> None:
    upper.parent.mkdir(parents=True, exist_ok=True)
    if not upper.exists():
        upper.mkdir()
        if lowers:  # the root directory of the merged tree is the upper's: as the image has it
            status = lowers[0].stat()
            os.chown(upper, status.st_uid, status.st_gid)
            os.chmod(upper, status.st_mode & 0o7777)
    work.mkdir(parents=True, exist_ok=True)
    incompatible = work / "work" / "incompat"
    if incompatible.exists():  # the mark of a volatile mount: what was lost, was lost with the machine's crash
        files.remove_tree(incompatible)


def _changes(upper: Path, lowers: Sequence[Path]) -> Iterator[Change]:
    hiding: set[str] = set()  # directories of the upper that hide what is beneath them
    for directory, names, others, fd in os.fwalk(upper, follow_symlinks=False):
        relative = directory[len(str(upper)) :]
        covered = relative in hiding or _is_opaque(fd)
        for name in (*names, *others):
            path = f"{relative}/{name}"
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue  # a running container removed it in this moment
            below = not covered and _is_below(path, lowers)
            if covered and stat.S_ISDIR(status.st_mode):
                hiding.add(path)
            if not _is_whiteout(status):
                yield Change(path=path, kind=_MODIFIED if below else _ADDED)
            elif below:
                yield Change(path=path, kind=_DELETED)


def _is_below(path: str, lowers: Sequence[Path]) -> bool:
    """Whether the merged layers (topmost first) have ``path``; the layers themselves are read, no link in them is followed."""
    for lower in lowers:
        current = str(lower)
        opaque = False
        for part in path.strip("/").split("/"):
            current = f"{current}/{part}"
            try:
                status = os.lstat(current)
            except FileNotFoundError:
                if opaque:
                    return False
                break  # this layer does not say: the next one
            if _is_whiteout(status):
                return False
            if current == f"{lower}{path}":
                return True
            if not stat.S_ISDIR(status.st_mode):
                return False
            opaque = opaque or _is_opaque(current)
    return False


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(directory: int | str) -> bool:
    try:
        return os.getxattr(directory, OPAQUE_ATTRIBUTE) == b"y"
    except OSError:
        return False
