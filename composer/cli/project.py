"""The ``project`` part of a request to ``/composer/v1``: which files, which name, whose environment; and the files' bytes.

The daemon resolves it all (composer.spec); the client only reads, with the user's rights. What is likely to be asked for (the stack
file found here or above, its override, ``.env``) is sent at once; the rest when the daemon says ``need``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from composer.cli.app import App

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "stack.yml", "stack.yaml")
OVERRIDES = tuple(f"{name}.override.{ending}" for name in ("compose", "docker-compose", "stack") for ending in ("yml", "yaml"))
MAX_FILE = 64 * 1024 * 1024

Content = dict[str, Any]


def project(app: App, *, search: bool = True) -> dict[str, Any]:
    """The part itself, with the contents that are likely to be needed.

    Without ``search``, and with a name given, no stack file is looked for: the project of that name is meant, whatever lies here.
    """
    cwd = app.cwd
    files = [name if name == "-" else os.path.join(cwd, name) for name in app.files]
    part = {
        "files": files,
        "name": app.name,
        "directory": os.path.join(cwd, app.directory) if app.directory else "",
        "cwd": cwd,
        "profiles": list(app.profiles),
        "env_files": [os.path.join(cwd, name) for name in app.env_files],
        "environment": dict(os.environ),
        "contents": {},
    }
    if app.isolated is not None:
        part["isolated"] = {"name": app.isolated or _checkout(files, cwd), "make": app.isolates}
    if search or not app.named:
        part["contents"] = contents(likely(part))
    else:
        part["contents"] = {path: {"missing": True} for path in _places(cwd)}
    return part


def _checkout(files: list[str], cwd: str) -> str:
    from composer.cli.checkout import name_of

    return name_of(os.path.dirname(files[0]) if files and files[0] != "-" else cwd)


def _places(folder: str) -> list[str]:
    """Every path that a search from ``folder`` upwards looks at."""
    found: list[str] = []
    while True:
        found.extend(os.path.join(folder, name) for name in NAMES)
        parent = os.path.dirname(folder)
        if parent == folder:
            return [*found, os.path.join(found[0].rpartition("/")[0], ".env")]
        folder = parent


def likely(part: dict[str, Any]) -> list[str]:
    """The paths that the daemon will ask for first."""
    environment, cwd = part["environment"], part["cwd"]
    paths = list(part["files"])
    if not paths and environment.get("COMPOSE_FILE"):
        separator = environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        paths = [os.path.join(cwd, name) for name in environment["COMPOSE_FILE"].split(separator) if name]
    base = part["directory"] or (os.path.dirname(paths[0]) if paths and paths[0] != "-" else cwd)
    if not paths:
        paths, base = _found(base)
    return [*paths, *(part["env_files"] or [os.path.join(base, ".env")])]


def _found(start: str) -> tuple[list[str], str]:
    """Every place looked at up to the folder that holds a stack file, and that folder (``start`` when there is none)."""
    looked: list[str] = []
    folder = start
    while True:
        looked.extend(os.path.join(folder, name) for name in NAMES)
        if any(os.path.isfile(path) for path in looked[-len(NAMES) :]):
            return looked + [os.path.join(folder, name) for name in OVERRIDES], folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return looked, start
        folder = parent


def contents(paths: Iterable[str]) -> dict[str, Content]:
    """What is at each path."""
    return {path: content(path) for path in paths}


def content(path: str) -> Content:
    """``{"text": ..}``, ``{"base64": ..}``, ``{"missing": true}``, ``{"directory": true}`` or ``{"problem": why it cannot be read}``."""
    try:
        if path == "-":
            data = _standard_input()
        else:
            with open(path, "rb", buffering=0) as file:
                data = _whole(file.fileno())
    except (FileNotFoundError, NotADirectoryError):
        return {"missing": True}
    except IsADirectoryError:
        return {"directory": True}
    except (OSError, ValueError) as error:
        return {"problem": (getattr(error, "strerror", None) or str(error)).lower()}
    if len(data) > MAX_FILE:
        return {"problem": f"is larger than {MAX_FILE // 2**20} MiB"}
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        from base64 import b64encode

        return {"base64": b64encode(data).decode()}


@cache
def _standard_input() -> bytes:
    """Read once, whoever asks: a command may send its project twice."""
    return sys.stdin.buffer.read(MAX_FILE + 1)


def _whole(descriptor: int) -> bytes:
    """All of it; not more than one byte over MAX_FILE (a device or a pipe has no end)."""
    parts: list[bytes] = []
    size = 0
    while size <= MAX_FILE and (part := os.read(descriptor, 1 << 20)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)
