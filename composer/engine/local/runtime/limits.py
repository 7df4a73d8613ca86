"""Changing the limits of a running cgroup: the files to write, in order, for v1 and v2. The plan is pure, writing it is not.

Sources: cgroup-v1/memory.rst (a limit may not exceed memory and swap together at any moment), cgroup-v2.rst; the conversion of CPU shares
to weights is runc's.
"""

from __future__ import annotations

from pathlib import Path

from composer.engine.errors import EngineError
from composer.engine.local.runtime import resources
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.model import HostConfig

Write = tuple[str, str, str]  # controller, file, value


def plan_v1(host: HostConfig, *, memory_now: int) -> list[Write]:
    """``memory_now``: the limit in force; memory and swap together must be raised first when it grows."""
    writes: list[Write] = []
    swap = resources.swap_limit(host)
    if host.memory > 0:
        writes.append(("memory", "memory.limit_in_bytes", str(host.memory)))
    if swap is not None:
        writes.insert(0 if swap == -1 or host.memory > memory_now else len(writes), ("memory", "memory.memsw.limit_in_bytes", str(swap)))
    if host.memory_reservation > 0:
        writes.append(("memory", "memory.soft_limit_in_bytes", str(host.memory_reservation)))
    if host.cpu_shares:
        writes.append(("cpu", "cpu.shares", str(max(2, host.cpu_shares))))
    if (limit := resources.cpu_quota(host)) is not None:
        writes += [("cpu", "cpu.cfs_period_us", str(limit[1])), ("cpu", "cpu.cfs_quota_us", str(limit[0]))]
    if host.blkio_weight:
        writes.append(("blkio", "blkio.weight", str(host.blkio_weight)))
    return writes + _shared(host)


def plan_v2(host: HostConfig) -> list[Write]:
    writes: list[Write] = []
    swap = resources.swap_limit(host)
    if swap is not None:
        writes.append(("memory", "memory.swap.max", "max" if swap == -1 else str(max(0, swap - host.memory))))
    if host.memory > 0:
        writes.append(("memory", "memory.max", str(host.memory)))
    if host.memory_reservation > 0:
        writes.append(("memory", "memory.low", str(host.memory_reservation)))
    if host.cpu_shares:
        writes.append(("cpu", "cpu.weight", str(cpu_weight(host.cpu_shares))))
    if (limit := resources.cpu_quota(host)) is not None:
        writes.append(("cpu", "cpu.max", f"{'max' if limit[0] < 0 else limit[0]} {limit[1]}"))
    if host.blkio_weight:
        writes.append(("io", "io.weight", f"default {1 + (host.blkio_weight - 10) * 9999 // 990}"))
    return writes + _shared(host)


def cpu_weight(shares: int) -> int:
    """cpu.weight (1 to 10000) for cpu.shares (2 to 262144)."""
    return 1 + ((min(max(shares, 2), 262144) - 2) * 9999) // 262142


def apply(hierarchies: Hierarchies, cgroup: str, host: HostConfig) -> None:
    """Raises EngineError that names the file which the kernel refused."""
    old = hierarchies.version == 1
    writes = plan_v1(host, memory_now=_memory_now(hierarchies, cgroup)) if old else plan_v2(host)
    for controller, name, value in writes:
        file = hierarchies.directory(cgroup, controller) / name
        if name.endswith(("memsw.limit_in_bytes", "swap.max", "weight")) and not file.exists():
            continue  # a kernel without swap accounting, or without a weighing scheduler: dockerd discards these too
        try:
            file.write_text(value)
        except OSError as error:
            raise EngineError(f"cannot set {name} to {value}: {error.strerror}", hint="is more in use than the new limit?") from error


def _shared(host: HostConfig) -> list[Write]:
    writes: list[Write] = []
    if host.cpuset_cpus:
        writes.append(("cpuset", "cpuset.cpus", host.cpuset_cpus))
    if host.cpuset_mems:
        writes.append(("cpuset", "cpuset.mems", host.cpuset_mems))
    if host.pids_limit is not None:
        writes.append(("pids", "pids.max", str(host.pids_limit) if host.pids_limit > 0 else "max"))
    return writes


def _memory_now(hierarchies: Hierarchies, cgroup: str) -> int:
    file: Path = hierarchies.directory(cgroup, "memory") / "memory.limit_in_bytes"
    try:
        return int(file.read_text())
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read the memory limit of cgroup {cgroup}") from error
