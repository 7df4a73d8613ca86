"""What is at a path of the host, seen before it is mounted into a container."""

from __future__ import annotations

import os
import stat

from composer.engine.model.facts import BENEATH_FILE, DANGLING, DEVICE, DIRECTORY, FILE, MISSING, OTHER, UNREADABLE, PathFact


def look(path: str) -> PathFact:
    """Links are followed. One or two system calls for a path that is there."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return PathFact(DANGLING, os.readlink(path)) if os.path.islink(path) else PathFact(MISSING)
    except NotADirectoryError:
        return PathFact(BENEATH_FILE, _file_above(path))
    except (OSError, ValueError) as error:
        return PathFact(UNREADABLE, (getattr(error, "strerror", None) or str(error)).lower())
    if stat.S_ISDIR(mode):
        return PathFact(DIRECTORY)
    if stat.S_ISREG(mode):
        return PathFact(FILE)
    return PathFact(DEVICE if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else OTHER)


def _file_above(path: str) -> str:
    while path not in ("", "/"):
        path = os.path.dirname(path)
        if os.path.lexists(path):
            return path
    return path
