"""Mount points that a runtime makes in a root for its mounts: taken out again, so that they do not become part of a layer."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress

from composer.engine.local.linux.beneath import open_in_root, open_parent


def missing(root_fd: int, destinations: Iterable[str]) -> list[str]:
    """All paths on the way to the destinations that are not there yet, deepest first: what a runtime will make."""
    found: set[str] = set()
    for destination in destinations:
        path = posixpath.normpath(destination)
        while path not in ("/", "") and not _there(root_fd, path):
            found.add(path)
            path = posixpath.dirname(path)
    return sorted(found, key=lambda path: path.count("/"), reverse=True)


def _there(root_fd: int, path: str) -> bool:
    try:
        os.close(open_in_root(root_fd, path, os.O_PATH | os.O_NOFOLLOW))
    except OSError:
        return False
    return True


def remove(root_fd: int, paths: Sequence[str]) -> None:
    """Remove those that are still empty (a directory without entries, a file without bytes)."""
    for path in paths:
        try:
            directory, name = open_parent(root_fd, path)
        except OSError:
            continue
        try:
            with suppress(OSError):  # gone, or no longer empty: then it belongs to the image
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    os.rmdir(name, dir_fd=directory)
                elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
                    os.unlink(name, dir_fd=directory)
        finally:
            os.close(directory)
