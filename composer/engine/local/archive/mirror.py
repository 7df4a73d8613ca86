"""Writing single files into a tree that processes use meanwhile: each is made beside its place and renamed over it. Blocking.

A **Mirror** is one directory (the target) of one container. The target itself is found as the container's processes would find it (links
in its path are followed, inside the root); beneath it no link is followed: what stands in the way of a directory is replaced by one.
Deleting crosses no mount. Sources: openat2(2), rename(2).
"""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass, field

from composer.engine.errors import Conflict, InvalidArgument
from composer.engine.local.archive.entry import Entry, Kind
from composer.engine.local.files import remove_at
from composer.engine.local.linux.beneath import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, make_directories, open_in_root

KINDS = frozenset({Kind.FILE, Kind.SYMLINK, Kind.DIRECTORY})
_STRICT = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_OPEN = 64  # directories that are kept open
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # with no link followed, behind a link is nothing


@dataclass
class Draft:
    """A file that is being written: ``fd`` takes its content, `Mirror.settle` puts it in its place."""

    fd: int
    directory: int
    temporary: str
    name: str
    entry: Entry


@dataclass
class Mirror:
    """``root``: an fd of the container's root; ``target``: absolute there, made when missing; ``owner``: of all that is made."""

    root: int
    target: str
    owner: tuple[int, int]
    _top: int = -1
    _open: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def close(self) -> None:
        self._forget()
        if self._top >= 0:
            os.close(self._top)
            self._top = -1

    # -- writing ---------------------------------------------------------------------------------------------------------------

    def directory(self, path: str, entry: Entry) -> None:
        """Make it, or give the one that is there this mode. "" is the target itself, which keeps its mode when it is there."""
        if not path:
            self._at("")
            return
        os.chmod(f"/proc/self/fd/{self._at(path)}", entry.mode & 0o7777)

    def link(self, path: str, entry: Entry) -> None:
        directory, name = self._place(path)
        temporary = _temporary()
        os.symlink(entry.link, temporary, dir_fd=directory)
        try:
            os.chown(temporary, *self.owner, dir_fd=directory, follow_symlinks=False)
            self._swap(directory, temporary, name)
        except BaseException:
            os.unlink(temporary, dir_fd=directory)
            raise

    def draft(self, path: str, entry: Entry) -> Draft:
        """A file beside its place, open for writing; `settle` or `drop` it before the next one is begun."""
        directory, name = self._place(path)
        temporary = _temporary()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return Draft(os.open(temporary, flags, 0o600, dir_fd=directory), directory, temporary, name, entry)

    def settle(self, draft: Draft) -> None:
        """All of its content is written: owner, mode and time, then into its place."""
        try:
            os.fchown(draft.fd, *self.owner)
            os.fchmod(draft.fd, draft.entry.mode & 0o7777)
            moment = int(draft.entry.mtime * 1_000_000) * 1000
            os.utime(draft.fd, ns=(moment, moment))
            self._swap(draft.directory, draft.temporary, draft.name)
        except BaseException:
            self.drop(draft)
            raise
        os.close(draft.fd)

    def drop(self, draft: Draft) -> None:
        """It is not wanted after all."""
        os.close(draft.fd)
        try:
            os.unlink(draft.temporary, dir_fd=draft.directory)
        except FileNotFoundError:
            return

    def _swap(self, directory: int, temporary: str, name: str) -> None:
        try:
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except (IsADirectoryError, FileExistsError):
            self._forget(directory)
            remove_at(directory, name)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            _overwrite(directory, temporary, name)

    # -- removing --------------------------------------------------------------------------------------------------------------

    def remove(self, path: str) -> bool:
        """Delete what is at ``path`` and beneath; False: nothing is there. Conflict: something is mounted there, and is kept."""
        above, _, name = path.rpartition("/")
        if not name:
            raise InvalidArgument(f"a target itself is never removed: {self.target}")
        try:
            directory = open_in_root(self._target(make=False), above or ".", _DIRECTORY, resolve=_STRICT)
        except OSError as error:
            if error.errno in _ABSENT:
                return False
            raise
        try:
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            self._forget()
            remove_at(directory, name)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EBUSY):
                raise
            raise Conflict("something is mounted there, which is kept") from error
        finally:
            os.close(directory)
        return True

    # -- finding ---------------------------------------------------------------------------------------------------------------

    def look(self, path: str, flags: int) -> int | None:
        """An fd of what is at ``path``; None: nothing. A link at its end is opened itself (with O_PATH), or is ELOOP."""
        try:
            return open_in_root(self._target(make=False), path or ".", flags | os.O_NOFOLLOW, resolve=_STRICT if path else RESOLVE_BENEATH)
        except OSError as error:
            if error.errno in _ABSENT and not (error.errno == errno.ELOOP and not flags & os.O_PATH):
                return None
            raise

    def _target(self, *, make: bool) -> int:
        if self._top < 0:
            try:
                self._top = open_in_root(self.root, self.target, _DIRECTORY)
            except FileNotFoundError:
                if not make:
                    raise
                self._top = self._make_target()
        return self._top

    def _make_target(self) -> int:
        parts, made = self.target.strip("/").split("/"), 0
        for count in range(len(parts), 0, -1):
            try:
                os.close(open_in_root(self.root, "/".join(parts[:count]), _DIRECTORY))
                break
            except FileNotFoundError:
                made += 1
        fd = make_directories(self.root, self.target)
        for count in range(len(parts), len(parts) - made, -1):
            own = open_in_root(self.root, "/".join(parts[:count]), _DIRECTORY)
            try:
                os.chown(f"/proc/self/fd/{own}", *self.owner)
            finally:
                os.close(own)
        return fd

    def _place(self, path: str) -> tuple[int, str]:
        above, _, name = path.rpartition("/")
        return self._at(above), name

    def _at(self, path: str) -> int:
        """The directory ``path`` beneath the target, made with all above it when it is missing or something else."""
        if not path:
            return self._target(make=True)
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        try:
            fd = open_in_root(self._target(make=True), path, _DIRECTORY, resolve=_STRICT)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            fd = self._make(path)
        self._open[path] = fd
        if len(self._open) > _OPEN:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _make(self, path: str) -> int:
        directory, name = self._place(path)
        try:
            os.mkdir(name, 0o755, dir_fd=directory)
        except FileExistsError:
            self._forget(directory)
            remove_at(directory, name)  # a file or a link, where a directory is wanted
            os.mkdir(name, 0o755, dir_fd=directory)
        fd = open_in_root(directory, name, _DIRECTORY, resolve=_STRICT)
        os.chown(f"/proc/self/fd/{fd}", *self.owner)
        os.chmod(f"/proc/self/fd/{fd}", 0o755)
        return fd

    def _forget(self, keep: int = -1) -> None:
        """What was opened beneath a place that is replaced is elsewhere now."""
        for path, fd in list(self._open.items()):
            if fd != keep:
                del self._open[path]
                os.close(fd)


def _temporary() -> str:
    return f".composer-sync-{os.urandom(6).hex()}"


def _overwrite(directory: int, temporary: str, name: str) -> None:
    """A single file that is itself a mount cannot be replaced: its content is, which is not atomic but all there is."""
    source = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), name)
        sink = os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            while piece := os.read(source, 1 << 20):
                view = memoryview(piece)
                while view:
                    view = view[os.write(sink, view) :]
        finally:
            os.close(sink)
    finally:
        os.close(source)
    os.unlink(temporary, dir_fd=directory)
