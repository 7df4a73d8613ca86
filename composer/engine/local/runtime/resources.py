"""Limits: what a HostConfig asks for, checked as dockerd checks it, as linux.resources of config.json. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.engine.model import HostConfig, Ulimit

MINIMUM_MEMORY = 6 * 1024 * 1024
INFINITY = 2**64 - 1  # RLIM_INFINITY
_PERIOD = 100_000  # microseconds: the kernel's default cpu.cfs_period_us
# fmt: off
_ULIMITS = frozenset((
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
    "sigpending", "stack",
))
# fmt: on


def check(host: HostConfig, *, cpus: int) -> None:
    """What dockerd refuses at create. ``cpus``: how many the machine has. Raises InvalidArgument in its words."""
    _check_memory(host)
    _check_cpu(host, cpus)
    for limit in host.ulimits:
        if limit.name not in _ULIMITS:
            raise InvalidArgument(f"invalid ulimit type: {limit.name}")
        if limit.hard != -1 and (limit.soft == -1 or limit.soft > limit.hard):
            raise InvalidArgument(f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidArgument(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if host.shm_size < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    if host.blkio_weight and not 10 <= host.blkio_weight <= 1000:
        raise InvalidArgument("Range of blkio weight is from 10 to 1000")


def _check_memory(host: HostConfig) -> None:
    if 0 < host.memory < MINIMUM_MEMORY:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    if host.memory and 0 < host.memory_swap < host.memory:
        raise InvalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage")
    if not host.memory and host.memory_swap > 0:
        raise InvalidArgument("You should always set the Memory limit when using Memoryswap limit, see usage")
    if host.memory and 0 < host.memory < host.memory_reservation:
        raise InvalidArgument("Minimum memory limit can not be less than memory reservation limit, see usage")
    if 0 < host.memory_reservation < MINIMUM_MEMORY:
        raise InvalidArgument("Minimum memory reservation allowed is 6MB")
    if host.memory_swappiness is not None and not -1 <= host.memory_swappiness <= 100:
        raise InvalidArgument(f"Invalid value: {host.memory_swappiness}, valid memory swappiness range is 0-100")


def _check_cpu(host: HostConfig, cpus: int) -> None:
    if host.nano_cpus and (host.cpu_period or host.cpu_quota):
        raise InvalidArgument("Conflicting options: Nano CPUs and CPU Period (or CPU Quota) cannot both be set")
    if host.nano_cpus < 0 or host.nano_cpus > cpus * 10**9:
        raise InvalidArgument(f"range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available")
    if host.cpu_shares < 0:
        raise InvalidArgument(f"invalid CPU shares ({host.cpu_shares}): value must be a positive integer")
    if host.cpu_period and not 1000 <= host.cpu_period <= 1_000_000:
        raise InvalidArgument("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < host.cpu_quota < 1000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")


def swap_limit(host: HostConfig) -> int | None:
    """Memory and swap together, in bytes: -1 no bound, None nothing is asked; by default twice the memory, as dockerd does."""
    if host.memory_swap:
        return host.memory_swap
    return host.memory * 2 if host.memory > 0 else None


def cpu_quota(host: HostConfig) -> tuple[int, int] | None:
    """(quota, period) in microseconds, or None."""
    if host.nano_cpus:
        return host.nano_cpus * _PERIOD // 10**9, _PERIOD
    if host.cpu_quota or host.cpu_period:
        return host.cpu_quota or -1, host.cpu_period or _PERIOD
    return None


def render(
    host: HostConfig, devices: list[dict[str, Any]], numbers: Mapping[str, tuple[int, int]] = MappingProxyType({})
) -> dict[str, Any]:
    """linux.resources. ``devices``: the device cgroup's rules, in order; ``numbers``: (major, minor) of each block device that is named."""
    result: dict[str, Any] = {"devices": devices}
    if memory := _memory(host):
        result["memory"] = memory
    if cpu := _cpu(host):
        result["cpu"] = cpu
    if host.pids_limit is not None and host.pids_limit > 0:
        result["pids"] = {"limit": host.pids_limit}
    if block := _block(host, numbers):
        result["blockIO"] = block
    return result


def _memory(host: HostConfig) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if host.memory > 0:
        memory["limit"] = host.memory
    if (swap := swap_limit(host)) is not None:
        memory["swap"] = swap
    if host.memory_reservation > 0:
        memory["reservation"] = host.memory_reservation
    if host.memory_swappiness is not None and host.memory_swappiness >= 0:
        memory["swappiness"] = host.memory_swappiness
    if host.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(host: HostConfig) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if host.cpu_shares:
        cpu["shares"] = max(2, host.cpu_shares)
    if (limit := cpu_quota(host)) is not None:
        cpu["quota"], cpu["period"] = limit
    if host.cpuset_cpus:
        cpu["cpus"] = host.cpuset_cpus
    if host.cpuset_mems:
        cpu["mems"] = host.cpuset_mems
    if host.cpu_realtime_period:
        cpu["realtimePeriod"] = host.cpu_realtime_period
    if host.cpu_realtime_runtime:
        cpu["realtimeRuntime"] = host.cpu_realtime_runtime
    return cpu


def _block(host: HostConfig, numbers: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if host.blkio_weight:
        block["weight"] = host.blkio_weight
    if host.blkio_weight_device:
        block["weightDevice"] = [{**_number(entry.path, numbers), "weight": entry.weight} for entry in host.blkio_weight_device]
    throttles = {
        "throttleReadBpsDevice": host.blkio_device_read_bps,
        "throttleWriteBpsDevice": host.blkio_device_write_bps,
        "throttleReadIOPSDevice": host.blkio_device_read_iops,
        "throttleWriteIOPSDevice": host.blkio_device_write_iops,
    }
    for name, entries in throttles.items():
        if entries:
            block[name] = [{**_number(entry.path, numbers), "rate": entry.rate} for entry in entries]
    return block


def _number(path: str, numbers: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    if path not in numbers:
        raise InvalidArgument(f"no such block device: {path}")
    major, minor = numbers[path]
    return {"major": major, "minor": minor}


def rlimits(ulimits: tuple[Ulimit, ...]) -> list[dict[str, Any]]:
    """process.rlimits; -1 is no bound."""
    return [
        {
            "type": f"RLIMIT_{limit.name.upper()}",
            "soft": limit.soft if limit.soft >= 0 else INFINITY,
            "hard": limit.hard if limit.hard >= 0 else INFINITY,
        }
        for limit in ulimits
    ]
