"""Putting files into a root file system: what COPY and ADD do there. Every path is resolved beneath that root, by directory fds."""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass

from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.tree import Entry, Tree
from composer.engine.local.linux.beneath import make_directories, open_in_root, open_parent

_BLOCK = 8 << 20


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """How to place: ``owner`` None keeps each file's own (a tree whose owners count) or makes it root's; ``mode`` None: each file's own."""

    destination: str
    into_directory: bool
    owner: Owner | None = None
    mode: int | None = None
    parents: bool = False


def place(tree: Tree, sources: list[str], root_fd: int, how: Placement) -> None:
    """Copy the sources (paths of the tree). A directory's content goes into the destination, a file becomes or goes into it."""
    for source in sources:
        entry = tree.entry(source, follow=True)
        target = how.destination
        if how.parents:
            target = posixpath.join(target, posixpath.dirname(source) if not entry.is_directory else source)
        if entry.is_directory:
            _directory(tree, entry, root_fd, target, how, keep_existing=True)
            for child in tree.walk(source):
                _entry(tree, child, root_fd, posixpath.join(target, child.path[len(source) :].lstrip("/")), how)
            continue
        if how.into_directory or how.parents or _is_directory(root_fd, target):
            target = posixpath.join(target, posixpath.basename(source))
        _entry(tree, entry, root_fd, target, how)


def write_file(root_fd: int, path: str, content: bytes, how: Placement) -> None:
    """A file with this content: of a heredoc."""
    directory, name = _parent(root_fd, path, how)
    try:
        _unlink(directory, name)
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            owner = how.owner or Owner()
            os.fchown(file.fileno(), owner.uid, owner.gid)
            os.fchmod(file.fileno(), 0o644 if how.mode is None else how.mode)
    finally:
        os.close(directory)


def make_directory(root_fd: int, path: str, owner: Owner) -> None:
    """mkdir -p; what is made gets the owner, what is there stays as it is."""
    done = ""
    for part in [p for p in path.split("/") if p]:
        done = f"{done}/{part}"
        try:
            fd = open_in_root(root_fd, done, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            fd = make_directories(root_fd, done)
            os.close(fd)
            fd = open_in_root(root_fd, done, os.O_RDONLY | os.O_DIRECTORY)
            os.fchown(fd, owner.uid, owner.gid)
        except NotADirectoryError as error:
            raise BuildProblem(f"cannot make the directory {path}: {done} is a file in the image") from error
        os.close(fd)


def _is_directory(root_fd: int, path: str) -> bool:
    try:
        os.close(open_in_root(root_fd, path, os.O_PATH | os.O_DIRECTORY))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _parent(root_fd: int, path: str, how: Placement) -> tuple[int, str]:
    make_directory(root_fd, posixpath.dirname(path.rstrip("/")), how.owner or Owner())
    return open_parent(root_fd, path)


def _owner(tree: Tree, entry: Entry, how: Placement) -> Owner:
    if how.owner is not None:
        return how.owner
    return Owner(entry.status.st_uid, entry.status.st_gid) if tree.own else Owner()


def _entry(tree: Tree, entry: Entry, root_fd: int, target: str, how: Placement) -> None:
    mode = entry.status.st_mode
    if stat.S_ISDIR(mode):
        _directory(tree, entry, root_fd, target, how)
        return
    directory, name = _parent(root_fd, target, how)
    try:
        _unlink(directory, name)
        if stat.S_ISREG(mode):
            _file(tree, entry, directory, name, how)
        elif stat.S_ISLNK(mode):
            os.symlink(entry.target, name, dir_fd=directory)
        elif tree.own or stat.S_ISFIFO(mode):
            os.mknod(name, mode, entry.status.st_rdev, dir_fd=directory)
        else:
            return  # sockets and devices of a context do not travel, as with docker
        owner = _owner(tree, entry, how)
        os.chown(name, owner.uid, owner.gid, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISLNK(mode):
            os.chmod(name, stat.S_IMODE(mode) if how.mode is None else how.mode, dir_fd=directory)
        os.utime(name, ns=(entry.status.st_mtime_ns, entry.status.st_mtime_ns), dir_fd=directory, follow_symlinks=False)
    finally:
        os.close(directory)


def _file(tree: Tree, entry: Entry, directory: int, name: str, how: Placement) -> None:
    source = tree.open(entry.path)
    try:
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        try:
            while os.sendfile(target, source, None, _BLOCK):  # copy_file_range gives EXDEV into an overlay
                pass
            if tree.own:
                _xattrs(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _xattrs(source: int, target: int) -> None:
    for name in os.listxattr(source):
        if name.startswith("user.") or name == "security.capability":
            os.setxattr(target, name, os.getxattr(source, name))


def _directory(tree: Tree, entry: Entry, root_fd: int, target: str, how: Placement, *, keep_existing: bool = False) -> None:
    existed = _is_directory(root_fd, target)
    if not existed and target.strip("/"):
        directory, name = _parent(root_fd, target, how)
        try:
            _unlink(directory, name)
            os.mkdir(name, 0o755, dir_fd=directory)
        finally:
            os.close(directory)
    if existed and keep_existing:
        return
    fd = open_in_root(root_fd, target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        owner = _owner(tree, entry, how)
        os.fchown(fd, owner.uid, owner.gid)
        os.fchmod(fd, stat.S_IMODE(entry.status.st_mode) if how.mode is None else how.mode)
    finally:
        os.close(fd)


def _unlink(directory: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return
    except IsADirectoryError as error:
        raise BuildProblem(f"cannot replace the directory {name!r} in the image by a file") from error
