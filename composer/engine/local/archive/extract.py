"""Extracting an archive into a root that it can never leave (trap 1: tarfile's own extraction can be led out, CVE-2025-4517).

Each member's parent is opened by openat2(2) as if the root were the whole file system, so links and ``..`` end inside; the member
itself is made by name in that directory, without following. For an overlay layer ("whiteouts") the marks of the OCI image
specification ("Representing Changes") become overlayfs's own: ``.wh.x`` a 0:0 character device, ``.wh..wh..opq`` the attribute
trusted.overlay.opaque=y (Documentation/filesystems/overlayfs.rst).
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import BinaryIO

from composer.engine.errors import EngineError, InvalidArgument
from composer.engine.local.archive.compression import plain
from composer.engine.local.archive.entry import Entry, Kind
from composer.engine.local.archive.read import TarReader
from composer.engine.local.files import remove_at
from composer.engine.local.linux.beneath import make_directories, open_in_root

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
OPAQUE_ATTRIBUTE = "trusted.overlay.opaque"
_OPEN_DIRECTORIES = 64
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_NODE = {Kind.CHARACTER: stat.S_IFCHR, Kind.BLOCK: stat.S_IFBLK, Kind.FIFO: stat.S_IFIFO}


@dataclass(frozen=True)
class ExtractOptions:
    """``whiteouts``: into an overlay layer. ``chown``: (uid, gid) of everything; else the archive's when ``keep_owner``, else ours.

    ``no_overwrite_dir_non_dir``: a directory is not replaced by a file, nor a file by a directory. ``devices``: make device nodes
    (else skip them). ``limit_bytes``, ``limit_entries``: beyond them InvalidArgument is raised, and what was written stays for the
    caller to remove.
    """

    whiteouts: bool = False
    chown: tuple[int, int] | None = None
    keep_owner: bool = True
    limit_bytes: int = 1 << 38
    limit_entries: int = 5_000_000
    no_overwrite_dir_non_dir: bool = False
    devices: bool = True


@dataclass
class ExtractReport:
    """``implied``: directories that no member described, made with mode 0755. ``bytes``: of file content."""

    entries: int = 0
    bytes: int = 0
    implied: list[str] = field(default_factory=list)
    top_described: bool = False  # a member told the attributes of the top directory itself
    refused_xattrs: int = 0  # attributes that the file system, or safety, did not take


def extract(source: BinaryIO, root_fd: int, at: str = "/", *, options: ExtractOptions | None = None) -> ExtractReport:
    """Extract the (perhaps compressed) tar ``source`` into the directory ``at`` of the root ``root_fd``.

    Raises InvalidArgument for a damaged or refused archive, EngineError when the file system does not take it (no space, ...).
    """
    reader, _ = plain(source)
    extraction = _Extraction(TarReader(reader), root_fd, at, options or ExtractOptions())
    try:
        return extraction.run()
    except (OverflowError, ValueError) as error:  # an owner, a device number, a zero byte that no system call takes
        raise InvalidArgument(f"cannot extract {extraction.name!r}: {error}") from error
    except OSError as error:
        raise EngineError(f"cannot extract {extraction.name!r}: {error.strerror or error}") from error
    finally:
        extraction.close()


class _Extraction:
    """One run over one archive."""

    def __init__(self, reader: TarReader, root_fd: int, at: str, options: ExtractOptions) -> None:
        self._reader = reader
        self._root = root_fd
        self._at = at.strip("/")
        self._options = options
        self._report = ExtractReport()
        self._open: OrderedDict[str, int] = OrderedDict()  # parent path -> O_PATH fd
        self._times: list[tuple[str, int]] = []  # directories, whose times must be set after their content
        self._made: set[str] = set()  # with whiteouts: what this layer holds itself
        self._gone: set[str] = set()  # with whiteouts: what it hides
        self.name = at

    def run(self) -> ExtractReport:
        for entry in self._reader:
            self._report.entries += 1
            self._report.bytes += entry.length
            if self._report.entries > self._options.limit_entries or self._report.bytes > self._options.limit_bytes:
                raise InvalidArgument("the archive is larger than what is allowed")
            self.name = path = _clean(entry.name)
            if path == "":
                self._top(entry)
            else:
                self._one(path, entry)
        for path, moment in reversed(self._times):
            self._set_time(path, moment)
        return self._report

    def close(self) -> None:
        self._forget()

    def _one(self, path: str, entry: Entry) -> None:
        directory, _, name = path.rpartition("/")
        if self._options.whiteouts and name.startswith(WHITEOUT):
            self._whiteout(directory, name)
            return
        if entry.kind in (Kind.CHARACTER, Kind.BLOCK) and not self._options.devices:
            return
        parent = self._parent(directory)
        if self._options.whiteouts:
            self._made.add(path)
        try:
            self._make(parent, path, name, entry)
        except FileExistsError:
            if not self._make_way(parent, name, entry):
                self._make(parent, path, name, entry)
            else:
                self._directory(parent, path, name, entry, kept=True)

    def _make(self, parent: int, path: str, name: str, entry: Entry) -> None:
        """FileExistsError, and nothing done, when the name is taken."""
        match entry.kind:
            case Kind.DIRECTORY:
                self._directory(parent, path, name, entry, kept=False)
            case Kind.FILE:
                self._file(parent, name, entry)
            case Kind.HARDLINK:
                self._hardlink(parent, name, entry)
            case Kind.SYMLINK:
                os.symlink(entry.link, name, dir_fd=parent)
                self._owner_of_link(parent, name, entry)
            case _:
                self._node(parent, name, entry)

    def _parent(self, path: str) -> int:
        """An O_PATH fd of the directory ``path``, kept for the members that follow; made when nothing described it."""
        if (fd := self._open.get(path)) is not None:
            self._open.move_to_end(path)
            return fd
        try:
            fd = open_in_root(self._root, f"{self._at}/{path}", _DIRECTORY)
        except FileNotFoundError:
            if path == "":
                raise
            fd = self._imply(path)
        except NotADirectoryError:
            if self._options.no_overwrite_dir_non_dir or path == "":
                raise
            fd = self._imply(path)  # a member beneath what an earlier member, or the root, has as a file
        self._open[path] = fd
        if len(self._open) > _OPEN_DIRECTORIES:
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _imply(self, path: str) -> int:
        above, _, name = path.rpartition("/")
        parent = self._parent(above)
        if _is_link(parent, name):  # to what is not there yet: make that
            return make_directories(self._root, f"{self._at}/{path}")
        entry = Entry(name=path, kind=Kind.DIRECTORY, mode=0o755)
        if not self._make_way(parent, name, entry):
            os.mkdir(name, 0o755, dir_fd=parent)
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                os.fchmod(fd, 0o755)
                if self._options.chown:
                    os.fchown(fd, *self._options.chown)
                self._opaque_if_hidden(fd, path)
            finally:
                os.close(fd)
            self._report.implied.append(path)
        return open_in_root(self._root, f"{self._at}/{path}", _DIRECTORY)

    def _make_way(self, parent: int, name: str, entry: Entry) -> bool:
        """Remove what is in the way of ``entry``. True: a directory that is there already, and stays."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        is_directory, wants_directory = stat.S_ISDIR(found.st_mode), entry.kind is Kind.DIRECTORY
        if is_directory and wants_directory:
            return True
        if self._options.no_overwrite_dir_non_dir and is_directory != wants_directory:
            if is_directory:
                raise InvalidArgument(f'cannot overwrite directory "{entry.name}" with non-directory')
            raise InvalidArgument(f'cannot overwrite non-directory "{entry.name}" with directory')
        remove_at(parent, name)
        if is_directory or stat.S_ISLNK(found.st_mode):
            self._forget(parent)  # what was opened through it is elsewhere now
        return False

    def _forget(self, keep: int | None = None) -> None:
        for path, fd in list(self._open.items()):
            if fd != keep:
                del self._open[path]
                os.close(fd)

    def _top(self, entry: Entry) -> None:
        if entry.kind is not Kind.DIRECTORY:
            raise InvalidArgument(f"the archive's member {entry.name!r} has no name")
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent(""))
        try:
            self._attributes(fd, entry)
        finally:
            os.close(fd)
        self._times.append(("", _nanoseconds(entry)))
        self._report.top_described = True

    def _directory(self, parent: int, path: str, name: str, entry: Entry, kept: bool) -> None:
        if not kept:
            os.mkdir(name, 0o700, dir_fd=parent)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            self._attributes(fd, entry)
            self._opaque_if_hidden(fd, path)
        finally:
            os.close(fd)
        if kept and path in self._report.implied:
            self._report.implied.remove(path)
        self._times.append((path, _nanoseconds(entry)))

    def _file(self, parent: int, name: str, entry: Entry) -> None:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent)
        try:
            if entry.pieces is None:
                self._reader.copy(entry.size, fd)
            else:
                os.truncate(fd, entry.length)
                for offset, size in entry.pieces:
                    os.lseek(fd, offset, os.SEEK_SET)
                    self._reader.copy(size, fd)
            self._attributes(fd, entry)
            moment = _nanoseconds(entry)
            os.utime(fd, ns=(moment, moment))
        finally:
            os.close(fd)

    def _hardlink(self, parent: int, name: str, entry: Entry) -> None:
        target = _clean(entry.link)
        directory, _, last = target.rpartition("/")
        if not last:
            raise InvalidArgument(f"the hard link {entry.name!r} names no file")
        try:
            source = open_in_root(self._root, f"{self._at}/{directory}", _DIRECTORY)
            try:
                os.link(last, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(source)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InvalidArgument(f"the hard link {entry.name!r} leads to {entry.link!r}, which is not there") from error

    def _node(self, parent: int, name: str, entry: Entry) -> None:
        os.mknod(name, _NODE[entry.kind] | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent)
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:  # by the fd, as the name may be a link by now
            self._attributes(fd, entry, path=f"/proc/self/fd/{fd}")
            moment = _nanoseconds(entry)
            os.utime(f"/proc/self/fd/{fd}", ns=(moment, moment))
        finally:
            os.close(fd)

    def _owner_of_link(self, parent: int, name: str, entry: Entry) -> None:
        if (owner := self._owner(entry)) is not None:
            os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        moment = _nanoseconds(entry)
        os.utime(name, ns=(moment, moment), dir_fd=parent, follow_symlinks=False)

    def _owner(self, entry: Entry) -> tuple[int, int] | None:
        if self._options.chown is not None:
            return self._options.chown
        return (entry.uid, entry.gid) if self._options.keep_owner else None

    def _attributes(self, fd: int, entry: Entry, *, path: str | None = None) -> None:
        """Owner, then mode (chown clears setuid), then extended attributes (chown clears security.capability)."""
        where = path or fd
        if (owner := self._owner(entry)) is not None:
            os.chown(where, *owner)
        os.chmod(where, entry.mode)
        for key, value in entry.xattrs.items():
            if _is_overlay_control(key):
                self._report.refused_xattrs += 1
                continue
            try:
                os.setxattr(where, key, value)
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.EINVAL):
                    raise
                self._report.refused_xattrs += 1  # as Docker: the file system or the kind of file has no such attributes

    def _whiteout(self, directory: str, name: str) -> None:
        if name == OPAQUE:
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._parent(directory))
            try:
                os.setxattr(fd, OPAQUE_ATTRIBUTE, b"y")
            finally:
                os.close(fd)
            return
        if name.startswith(WHITEOUT + WHITEOUT):  # aufs's own bookkeeping
            return
        hidden = name.removeprefix(WHITEOUT)
        if hidden in ("", ".", ".."):
            raise InvalidArgument(f"the whiteout {name!r} hides no name")
        path = f"{directory}/{hidden}" if directory else hidden
        self._gone.add(path)
        parent = self._parent(directory)
        if path not in self._made:
            try:
                os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
                return
            except FileExistsError:
                pass
        try:  # this layer has one of that name itself: it stays, and hides the lower one by being there
            fd = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except NotADirectoryError:
            return
        try:
            self._opaque_if_hidden(fd, path)
        finally:
            os.close(fd)

    def _opaque_if_hidden(self, fd: int, path: str) -> None:
        if path in self._gone:
            os.setxattr(fd, OPAQUE_ATTRIBUTE, b"y")

    def _set_time(self, path: str, moment: int) -> None:
        try:
            fd = open_in_root(self._root, f"{self._at}/{path}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError, OSError) as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno == errno.ELOOP:
                return  # a later member replaced it
            raise
        try:
            os.utime(fd, ns=(moment, moment))
        finally:
            os.close(fd)


def _is_link(parent: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _clean(name: str) -> str:
    """The member's path relative to the top: no ``.``, no ``..`` (the top's parent is the top), no slash at the ends."""
    if "\0" in name:
        raise InvalidArgument("invalid tar header: a name with a zero byte")
    return posixpath.normpath("/" + name).strip("/")


def _nanoseconds(entry: Entry) -> int:
    return int(entry.mtime * 1_000_000) * 1000


def _is_overlay_control(key: str) -> bool:
    """Attributes by which overlayfs is told what to do, and labels of the host's policy: an archive must not bring them."""
    return key.startswith(("trusted.overlay.", "user.overlay.", "security.selinux", "security.apparmor", "security.SMACK"))
