"""The short way of `composer config`: a right file is checked, or printed, without click (30 ms of 60) and without a daemon.

Only plain command lines are taken, and only when nothing is to be said besides the result: for any other flag, for a mistake or a
warning the answer is None, and the command itself does it all (once more), in its words and colours. The result is the same text.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from composer.spec.read import Request

BEFORE = {"-f": "files", "--file": "files", "--profile": "profiles", "--env-file": "env_files"}
ONCE = {"-p": "name", "--project-name": "name", "--project-directory": "directory"}
FLAGS = ("--no-interpolate", "--no-normalize", "--no-path-resolution", "--no-consistency", "--no-env-resolution")
VIEWS = ("--services", "--volumes", "--networks", "--images", "--profiles", "--environment")


def config(arguments: list[str]) -> str | None:
    """What `composer ARGUMENTS` prints; None: this way does not lead there."""
    read = _read(arguments)
    if read is None:
        return None
    from composer.errors import ComposerError
    from composer.spec.config import ConfigOptions
    from composer.spec.config import config as resolve
    from composer.spec.read import load_from_disk

    request, flags = read
    options = ConfigOptions(**flags)
    try:
        found = load_from_disk(request, lambda one: resolve(one, options))
    except ComposerError:
        return None
    return None if found.warnings else str(found.text)


def _read(arguments: list[str]) -> tuple[Request, dict[str, Any]] | None:
    """The request, and the fields of ConfigOptions, that a plain command line means."""
    many: dict[str, list[str]] = {"files": [], "profiles": [], "env_files": []}
    once = {"name": "", "directory": ""}
    left = iter(arguments)
    for word in left:
        flag, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if flag == "config" and not equals:
            break
        if flag not in BEFORE and flag not in ONCE:
            return None
        value = value if equals else next(left, "")
        if not value or value == "-":
            return None
        if flag in BEFORE:
            many[BEFORE[flag]].append(value)
        else:
            once[ONCE[flag]] = value
    else:
        return None
    flags = _flags(list(left), many["files"])
    return None if flags is None or "-" in os.environ.get("COMPOSE_FILE", "").split(os.pathsep) else (_request(many, once), flags)


def _flags(arguments: list[str], files: list[str]) -> dict[str, Any] | None:
    flags: dict[str, Any] = {}
    left = iter(arguments)
    for word in left:
        if word in ("-q", "--quiet"):
            flags["quiet"] = True
        elif word in FLAGS:
            flags[word[2:].replace("-", "_")] = True
        elif word in VIEWS and "view" not in flags:
            flags["view"] = word[2:]
        elif word in ("--format", "-f", "--file"):
            value = next(left, "-")
            if value in ("", "-"):
                return None
            if word == "--format":
                flags["format"] = value
            else:
                files.append(value)
        else:
            return None
    return flags


def _request(many: dict[str, list[str]], once: dict[str, str]) -> Request:
    from composer.spec.read import Request

    real, said = os.getcwd(), os.environ.get("PWD", "")
    cwd = said if said.startswith("/") and os.path.exists(said) and os.path.samefile(said, real) else real
    return Request(
        files=tuple(os.path.join(cwd, name) for name in many["files"]),
        name=once["name"],
        directory=os.path.join(cwd, once["directory"]) if once["directory"] else "",
        cwd=cwd,
        profiles=tuple(many["profiles"]),
        env_files=tuple(os.path.join(cwd, name) for name in many["env_files"]),
        environment=dict(os.environ),
    )
