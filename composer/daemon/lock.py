"""One daemon a root: an exclusive flock(2) on a file there, which holds the pid of who has it. The kernel drops it with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from composer.engine.errors import Conflict, Unavailable


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock. Conflict (named pid) when another process has it, Unavailable when the file cannot be opened."""
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "run it as root, or name another --root" if error.errno in (1, 13) else None
        raise Unavailable(f"cannot use the state root {path.parent}: {error.strerror}", hint=hint) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = holder(path)
            raise Conflict(
                f"another daemon has the state root {path.parent} (pid {pid or 'unknown'})",
                hint="use that one, or name another --root and --run; composer engine stop ends it",
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def holder(path: Path) -> int | None:
    """The pid that the lock's file names; None when there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
