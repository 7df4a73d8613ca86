"""What the runtime room speaks of: a Bundle (a container's directory, as the OCI runtime specification has it), the Handle of what runs
from it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.engine.local.linux.process import ProcessId
from composer.engine.local.runtime.logs import MAX_FILE, MAX_SIZE


@dataclass(frozen=True, slots=True)
class Bundle:
    """A container about to run, or running.

    ``directory`` holds config.json and conmon's files; ``rootfs`` is the mounted root; ``cgroup`` is absolute from the root of each
    hierarchy; ``runtime`` names an OCI runtime ("crun", "runc"); ``log``: where conmon writes the output, None = nowhere;
    ``log_limits``: (bytes, files) at which it is rotated (see `logs.limits`).
    """

    id: str
    directory: Path
    rootfs: Path
    cgroup: str
    runtime: str = "crun"
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    log: Path | None = None
    log_limits: tuple[int, int] | None = (MAX_SIZE, MAX_FILE)

    @property
    def exit_file(self) -> Path:
        """conmon writes the exit status here (its --persist-dir)."""
        return self.directory / "exit"

    @property
    def oom_file(self) -> Path:
        """conmon makes this file when the kernel killed for lack of memory."""
        return self.directory / "oom"


@dataclass(frozen=True, slots=True)
class Handle:
    """The two processes of a container: its first one, and the conmon that holds its streams and status."""

    init: ProcessId
    conmon: ProcessId

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the container's row."""
        return {
            "init": [self.init.pid, self.init.start],
            "conmon": [self.conmon.pid, self.conmon.start],
            "boot": self.init.boot,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Handle:
        init, conmon = (ProcessId(data[name][0], data[name][1], data["boot"]) for name in ("init", "conmon"))
        return cls(init, conmon)


@dataclass(frozen=True, slots=True)
class Exit:
    """``code``: 0-255, 128 + n when signal n ended it; None when nobody can tell any more. ``finished_at``: seconds since 1970."""

    code: int | None
    oom: bool
    finished_at: float
