"""Limits that somebody changed in the cgroup's files behind the engine's back: found by reading them, put back by writing them.

Expected is what the container's settings ask for, and where they ask nothing, what the kernel gives a new cgroup: no limit.
"""

from __future__ import annotations

from composer.engine.errors import EngineError
from composer.engine.local.runtime import limits
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.model import HostConfig

_UNLIMITED = 2**62  # bytes: cgroup v1 shows "no limit" as the largest multiple of a page
_PAGE = 65536  # a memory limit is rounded down to pages
_DEFAULTS_V1 = {
    ("memory", "memory.limit_in_bytes"): "-1",
    ("cpu", "cpu.shares"): "1024",
    ("cpu", "cpu.cfs_quota_us"): "-1",
    ("pids", "pids.max"): "max",
}
_DEFAULTS_V2 = {
    ("memory", "memory.max"): "max",
    ("cpu", "cpu.weight"): "100",
    ("cpu", "cpu.max"): "max 100000",
    ("pids", "pids.max"): "max",
}
Expected = dict[tuple[str, str], str]


def expected(host: HostConfig, version: int) -> Expected:
    """(controller, file) -> what it should hold."""
    if version == 2:
        return _DEFAULTS_V2 | {(controller, name): value for controller, name, value in limits.plan_v2(host) if controller != "io"}
    writes = limits.plan_v1(host, memory_now=_UNLIMITED)
    return _DEFAULTS_V1 | {(controller, name): value for controller, name, value in writes if controller != "blkio"}


def same(name: str, wanted: str, found: str) -> bool:
    """Whether the content of the file ``name`` means the value."""
    if wanted == found:
        return True
    if wanted in ("-1", "max"):
        return found in ("-1", "max") or (found.isdigit() and int(found) >= _UNLIMITED)
    if name.startswith("cpuset."):
        return _numbers(wanted) == _numbers(found)
    rounded = name.startswith("memory.") and wanted.isdigit() and found.isdigit()
    return rounded and 0 <= int(wanted) - int(found) < _PAGE


def _numbers(listed: str) -> set[int]:
    """ "0-2,5" as numbers (cpuset(7), "List format")."""
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.partition("-")
        if first.strip().isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def mend(hierarchies: Hierarchies, cgroup: str, host: HostConfig) -> list[str]:
    """Compare and put back; what was put back, in words. Blocking, some small files. What cannot be read or written is left alone."""
    mended: list[str] = []
    wrong = _wrong(hierarchies, cgroup, host)
    for _ in range(2):  # memory, and memory and swap together: the one can be in the other's way
        wrong = [item for item in wrong if not _put_back(hierarchies, cgroup, item, mended)]
    return mended


def _wrong(hierarchies: Hierarchies, cgroup: str, host: HostConfig) -> list[tuple[str, str, str, str]]:
    found = []
    for (controller, name), wanted in expected(host, hierarchies.version).items():
        try:
            now = (hierarchies.directory(cgroup, controller) / name).read_text().strip()
        except (OSError, EngineError):
            continue
        if not same(name, wanted, now):
            found.append((controller, name, wanted, now))
    return found


def _put_back(hierarchies: Hierarchies, cgroup: str, item: tuple[str, str, str, str], mended: list[str]) -> bool:
    controller, name, wanted, now = item
    try:
        (hierarchies.directory(cgroup, controller) / name).write_text(wanted)
    except OSError:
        return False
    mended.append(f"{name} was {now}, is {wanted} again")
    return True
