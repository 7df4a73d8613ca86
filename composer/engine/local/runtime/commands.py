"""Whether a command can be started in a running container: looked up as the runtime would, without leaving the container's root.

Known before the runtime is asked, so that a wrong command is an error at once and not words in a stream.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from composer.engine.errors import NotRunning
from composer.engine.local.linux.beneath import open_in_root
from composer.engine.local.runtime.oci import DEFAULT_PATH
from composer.engine.local.runtime.words import refusal


def check(pid: int, process: Mapping[str, Any], runtime: str) -> None:
    """``pid``: the container's first process; ``process``: the OCI object. Raises CommandNotFound, CommandNotExecutable, NotRunning."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotRunning("the container is not running") from error
    name = process["args"][0]
    denied = False
    try:
        for path in _candidates(name, process):
            try:
                fd = open_in_root(root, path, os.O_PATH)
            except OSError:
                continue
            mode = os.fstat(fd).st_mode
            os.close(fd)
            if stat.S_ISREG(mode) and mode & 0o111:
                return
            denied = True
    finally:
        os.close(root)
    words = f"exec: {name}: permission denied" if denied else f"executable file {name} not found in $PATH"
    raise refusal(words, name, runtime=runtime, exec=True)


def _candidates(name: str, process: Mapping[str, Any]) -> Iterator[str]:
    if "/" in name:
        yield os.path.join(process["cwd"], name)
        return
    path = next((entry[5:] for entry in process["env"] if entry.startswith("PATH=")), DEFAULT_PATH)
    for directory in path.split(":"):
        yield os.path.join(process["cwd"], directory, name)
