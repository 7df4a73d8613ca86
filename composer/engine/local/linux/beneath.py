"""Opening paths that come from untrusted bytes: openat2(2), so that no path, link or ``..`` leads out of its root."""

from __future__ import annotations

import os
import struct

from composer.engine.local.linux.libc import syscall

_OPENAT2 = 437
RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 1, 2, 4, 8, 16


def open_in_root(root_fd: int, path: str | bytes, flags: int, mode: int = 0, *, resolve: int = RESOLVE_IN_ROOT) -> int:
    """Open ``path`` as a process whose root directory is ``root_fd`` would (absolute links and ``..`` stay inside).

    ``resolve``: RESOLVE_IN_ROOT (default) or RESOLVE_BENEATH (an escape is EXDEV); no magic links ever.
    """
    raw = os.fsencode(path).lstrip(b"/") or b"."
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve | RESOLVE_NO_MAGICLINKS)
    while True:
        try:
            return syscall(_OPENAT2, root_fd, raw, how, len(how))
        except BlockingIOError:  # EAGAIN: a rename raced with "..", try again (openat2(2))
            continue


def open_parent(root_fd: int, path: str | bytes) -> tuple[int, str]:
    """(directory fd, last name): where to create, replace or unlink ``path``; its parents are resolved in the root and must exist.

    The caller closes the fd and works by ``dir_fd=`` with ``follow_symlinks=False``. Raises ValueError for a path without a last name.
    """
    text = os.fsdecode(path).strip("/")
    directory, _, name = text.rpartition("/")
    if name in ("", ".", ".."):
        raise ValueError(f"path {text!r} names no entry")
    return open_in_root(root_fd, directory or ".", os.O_PATH | os.O_DIRECTORY), name


def make_directories(root_fd: int, path: str | bytes, mode: int = 0o755) -> int:
    """mkdir -p in the root; links to directories are followed inside the root. Returns an O_PATH fd of the last one.

    New directories belong to the caller (root).
    """
    fd = os.dup(root_fd)
    done = ""
    for part in [p for p in os.fsdecode(path).split("/") if p not in ("", ".")]:
        done = f"{done}/{part}"
        try:
            try:
                child = open_in_root(root_fd, done, os.O_PATH | os.O_DIRECTORY)
            except FileNotFoundError:
                try:
                    os.mkdir(part, mode, dir_fd=fd)
                except FileExistsError:  # a link to what is not there yet: make its target
                    target = os.readlink(part, dir_fd=fd)
                    base = done.rpartition("/")[0]
                    os.close(make_directories(root_fd, target if target.startswith("/") else f"{base}/{target}", mode))
                child = open_in_root(root_fd, done, os.O_PATH | os.O_DIRECTORY)
        finally:
            os.close(fd)
        fd = child
    return fd
