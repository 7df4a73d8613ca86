"""Control groups of containers, in cgroup v1 (one hierarchy per controller, hybrid or not) and v2 (one for all).

The engine names each container's cgroup itself (absolute, the same in every hierarchy) and removes it itself: a runtime killed in
mid-create leaves it behind. Words: *hierarchy* = a mounted cgroup file system; *controller* = memory, cpu, pids...
Sources: Documentation/admin-guide/cgroup-v1/*, cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import EngineError
from composer.engine.local.linux import mount

_V1_NAMES = {"name=systemd": "systemd"}
_DELETE_PATIENCE = 5.0  # seconds until a cgroup whose processes were killed must be empty
_ENABLE = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")


@dataclass(frozen=True)
class Hierarchies:
    """The cgroup file systems of this machine. ``v1``: controller (or named hierarchy) -> mount point; ``unified``: the v2 mount."""

    v1: Mapping[str, Path]
    unified: Path | None

    @classmethod
    def detect(cls) -> Hierarchies:
        """From mountinfo. Raises EngineError when no cgroup file system is mounted."""
        v1: dict[str, Path] = {}
        unified: Path | None = None
        for found in mount.mounts():
            if found.kind == "cgroup2" and unified is None:
                unified = Path(found.target)
            elif found.kind == "cgroup":
                options = found.super_options.split(",")
                for name in [o for o in options if o not in ("rw", "ro", "xattr", "release_agent", "clone_children", "noprefix")]:
                    if not name.startswith("release_agent="):
                        v1.setdefault(_V1_NAMES.get(name, name), Path(found.target))
        if not v1 and unified is None:
            raise EngineError("no cgroup file system is mounted", hint="mount -t cgroup2 none /sys/fs/cgroup")
        return cls(v1, unified)

    @property
    def version(self) -> int:
        """2 when the v2 hierarchy holds the controllers, else 1 (also when both are mounted)."""
        return 1 if "memory" in self.v1 or "pids" in self.v1 or self.unified is None else 2

    def roots(self) -> list[Path]:
        """The mount point of every hierarchy."""
        found = list(dict.fromkeys(self.v1.values()))
        return [*found, self.unified] if self.unified is not None else found

    def directory(self, path: str, controller: str) -> Path:
        """Where ``controller`` of the cgroup ``path`` is steered."""
        root = self.unified if self.version == 2 else self.v1.get(controller)
        if root is None:
            raise EngineError(f"the cgroup controller {controller} is not mounted on this machine")
        return root / path.lstrip("/")

    def directories(self, path: str) -> list[Path]:
        """The cgroup in every hierarchy, whether it exists or not."""
        return [root / path.lstrip("/") for root in self.roots()]

    def main(self, path: str) -> Path:
        """The one whose cgroup.procs tells what runs in it."""
        return self.directory(path, "pids" if "pids" in self.v1 else next(iter(self.v1), ""))

    # -- making and unmaking

    def prepare(self, parent: str) -> None:
        """v2: make ``parent`` and hand the controllers down to its children. v1: nothing to do, runtimes make what they need."""
        if self.version != 2 or self.unified is None:
            return
        at = self.unified
        for part in [p for p in parent.split("/") if p]:
            _enable(at)
            at = at / part
            at.mkdir(exist_ok=True)
        _enable(at)

    def adopt(self, path: str, pid: int) -> None:
        """Move a process out of the caller's cgroups into ``path``; hierarchies in whose root the caller lives need no move."""
        own = own_cgroups()
        for name, root in self.named():
            if own.get(name, "/") == "/":
                continue
            directory = root / path.lstrip("/")
            directory.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(ProcessLookupError):
                (directory / "cgroup.procs").write_text(str(pid))

    def named(self) -> list[tuple[str, Path]]:
        """(name, mount point) of each hierarchy; a v2 hierarchy's name is ""."""
        seen: dict[Path, str] = {}
        for name, root in self.v1.items():
            seen.setdefault(root, name)
        pairs = [(name, root) for root, name in seen.items()]
        return [*pairs, ("", self.unified)] if self.unified is not None else pairs

    def processes(self, path: str) -> list[int]:
        """All pids in the cgroup and beneath it."""
        found: set[int] = set()
        for directory, _, files in os.walk(self.main(path)):
            if "cgroup.procs" in files:
                with contextlib.suppress(FileNotFoundError, OSError):
                    found.update(int(pid) for pid in Path(directory, "cgroup.procs").read_text().split())
        return sorted(found - {0})

    def delete(self, path: str) -> None:
        """Kill what is left in it and remove it in every hierarchy. Blocks (up to 5 s); missing is fine.

        Raises EngineError when a process does not die or a directory cannot be removed.
        """
        deadline = time.monotonic() + _DELETE_PATIENCE
        for directory in self.directories(path):
            while not _remove(directory):
                for other in self.directories(path):  # a frozen process dies when its freezer, another hierarchy, lets it
                    _kill_all(other)
                if time.monotonic() > deadline:
                    raise EngineError(f"cgroup {directory} cannot be removed: processes in it do not end")
                time.sleep(0.002)

    def delete_empty(self, path: str) -> bool:
        """Remove the cgroup where nothing is in it or beneath it: a parent that the last container left. Whether it is gone."""
        left = False
        for directory in self.directories(path):
            try:
                directory.rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # EBUSY: something lives there
                left = True
        return not left

    # -- pausing

    def freeze(self, path: str, frozen: bool) -> None:
        """Stop or continue all its processes. Blocks until it is so (up to 10 s). Raises EngineError."""
        if self.version == 2:
            directory = self.directory(path, "freezer")
            file, value, told = directory / "cgroup.freeze", "1" if frozen else "0", directory / "cgroup.events"
            expect = f"frozen {value}"
        else:
            file = told = self.directory(path, "freezer") / "freezer.state"
            value = expect = "FROZEN" if frozen else "THAWED"
        deadline = time.monotonic() + 10
        while True:
            try:
                file.write_text(value)
                if expect in told.read_text():
                    return
            except OSError as error:
                raise EngineError(f"cannot {'pause' if frozen else 'unpause'} cgroup {path}: {error.strerror}") from error
            if time.monotonic() > deadline:
                raise EngineError(f"cgroup {path} does not become {expect.lower()}")
            time.sleep(0.001)

    def frozen(self, path: str) -> bool:
        with contextlib.suppress(OSError, EngineError):
            if self.version == 2:
                return "frozen 1" in (self.directory(path, "freezer") / "cgroup.events").read_text()
            return (self.directory(path, "freezer") / "freezer.state").read_text().strip() != "THAWED"
        return False

    def oom_kills(self, path: str) -> int:
        """How often the kernel killed a process of it for lack of memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        with contextlib.suppress(OSError, EngineError):
            for line in (self.directory(path, "memory") / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0


def own_cgroups() -> dict[str, str]:
    """The caller's cgroup in each hierarchy: each controller's name (or "systemd", or "" for v2) -> path (cgroups(7))."""
    found: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            found[_V1_NAMES.get(name, name)] = path
    return found


def _enable(directory: Path) -> None:
    """Hand down each controller that the directory has. One that cannot be is left: the limit that needs it then fails by name."""
    have = (directory / "cgroup.controllers").read_text().split()
    on = (directory / "cgroup.subtree_control").read_text().split()
    for name in [c for c in _ENABLE if c in have and c not in on]:
        with contextlib.suppress(OSError):
            (directory / "cgroup.subtree_control").write_text(f"+{name}")


def _remove(directory: Path) -> bool:
    """rmdir it and what is beneath it; False when something still lives there."""
    try:
        directory.rmdir()
        return True
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise EngineError(f"cgroup {directory} cannot be removed: {error.strerror}") from error
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in [e for e in entries if e.is_dir(follow_symlinks=False)]:
            _remove(Path(entry.path))
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill_all(directory: Path) -> None:
    """SIGKILL to everything in it and beneath, thawed so that it can die."""
    for top, _, files in os.walk(directory, topdown=False):
        for name, value in (("cgroup.kill", "1"), ("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
            if name in files:
                with contextlib.suppress(OSError):
                    Path(top, name).write_text(value)
        with contextlib.suppress(OSError):
            for pid in Path(top, "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
