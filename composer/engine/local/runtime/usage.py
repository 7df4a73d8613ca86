"""What a cgroup has used, in Docker's Stats. Sources: cgroup-v1/{memory,cpuacct,blkio-controller}.rst, cgroup-v2.rst, proc_stat(5)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from composer.engine.errors import EngineError
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.model import BlkioEntry, BlkioStats, CPUStats, CPUUsage, MemoryStats, PidsStats, Stats, ThrottlingData

_UNBOUNDED = 1 << 60  # cgroup v1 writes "no limit" as a huge number
_TICK = 10**9 // os.sysconf("SC_CLK_TCK")  # ns


def measure(hierarchies: Hierarchies, cgroup: str) -> Stats:
    """The counters now; zeros where the cgroup (or a controller) is not there."""
    read = _V2(hierarchies, cgroup) if hierarchies.version == 2 else _V1(hierarchies, cgroup)
    cpu = CPUStats(cpu_usage=read.cpu(), system_cpu_usage=_system_cpu(), online_cpus=os.cpu_count() or 1, throttling_data=read.throttling())
    return Stats(cpu_stats=cpu, memory_stats=read.memory(), pids_stats=read.pids(), blkio_stats=read.blkio())


class _V1:
    def __init__(self, hierarchies: Hierarchies, cgroup: str) -> None:
        self._files = _Files(hierarchies, cgroup)

    def cpu(self) -> CPUUsage:
        number = self._files.number
        return CPUUsage(
            total_usage=number("cpuacct", "cpuacct.usage"),
            usage_in_kernelmode=number("cpuacct", "cpuacct.usage_sys"),
            usage_in_usermode=number("cpuacct", "cpuacct.usage_user"),
        )

    def throttling(self) -> ThrottlingData:
        found = self._files.table("cpu", "cpu.stat")
        return ThrottlingData(
            periods=found.get("nr_periods", 0),
            throttled_periods=found.get("nr_throttled", 0),
            throttled_time=found.get("throttled_time", 0),
        )

    def memory(self) -> MemoryStats:
        number = self._files.number
        return MemoryStats(
            usage=number("memory", "memory.usage_in_bytes"),
            max_usage=number("memory", "memory.max_usage_in_bytes"),
            limit=_bound(number("memory", "memory.limit_in_bytes")),
            stats=self._files.table("memory", "memory.stat"),
        )

    def pids(self) -> PidsStats:
        return _pids(self._files)

    def blkio(self) -> BlkioStats:
        entries = []
        for words in self._files.lines("blkio", "blkio.throttle.io_service_bytes_recursive"):
            if len(words) == 3:
                major, _, minor = words[0].partition(":")
                entries.append(BlkioEntry(major=int(major), minor=int(minor), op=words[1].lower(), value=int(words[2])))
        return BlkioStats(io_service_bytes_recursive=tuple(entries))


class _V2:
    def __init__(self, hierarchies: Hierarchies, cgroup: str) -> None:
        self._files = _Files(hierarchies, cgroup)
        self._cpu = self._files.table("cpu", "cpu.stat")

    def cpu(self) -> CPUUsage:
        return CPUUsage(
            total_usage=1000 * self._cpu.get("usage_usec", 0),
            usage_in_kernelmode=1000 * self._cpu.get("system_usec", 0),
            usage_in_usermode=1000 * self._cpu.get("user_usec", 0),
        )

    def throttling(self) -> ThrottlingData:
        return ThrottlingData(
            periods=self._cpu.get("nr_periods", 0),
            throttled_periods=self._cpu.get("nr_throttled", 0),
            throttled_time=1000 * self._cpu.get("throttled_usec", 0),
        )

    def memory(self) -> MemoryStats:
        number = self._files.number
        return MemoryStats(
            usage=number("memory", "memory.current"),
            max_usage=number("memory", "memory.peak"),
            limit=_bound(number("memory", "memory.max", unbounded=_UNBOUNDED)),
            stats=self._files.table("memory", "memory.stat"),
        )

    def pids(self) -> PidsStats:
        return _pids(self._files)

    def blkio(self) -> BlkioStats:
        entries = []
        for words in self._files.lines("io", "io.stat"):
            major, _, minor = words[0].partition(":")
            values = dict(word.split("=", 1) for word in words[1:] if "=" in word)
            for op, name in (("read", "rbytes"), ("write", "wbytes")):
                if name in values:
                    entries.append(BlkioEntry(major=int(major), minor=int(minor), op=op, value=int(values[name])))
        return BlkioStats(io_service_bytes_recursive=tuple(entries))


class _Files:
    """The files of one cgroup; what cannot be read is empty."""

    def __init__(self, hierarchies: Hierarchies, cgroup: str) -> None:
        self._hierarchies = hierarchies
        self._cgroup = cgroup

    def text(self, controller: str, name: str) -> str:
        try:
            return (self._hierarchies.directory(self._cgroup, controller) / name).read_text()
        except (OSError, EngineError):
            return ""

    def number(self, controller: str, name: str, *, unbounded: int = 0) -> int:
        text = self.text(controller, name).strip()
        return int(text) if text.isdigit() else unbounded

    def lines(self, controller: str, name: str) -> Iterator[list[str]]:
        return (words for line in self.text(controller, name).splitlines() if (words := line.split()))

    def table(self, controller: str, name: str) -> dict[str, int]:
        return {words[0]: int(words[1]) for words in self.lines(controller, name) if len(words) == 2 and words[1].isdigit()}


def _pids(files: _Files) -> PidsStats:
    return PidsStats(current=files.number("pids", "pids.current"), limit=files.number("pids", "pids.max"))


def _bound(limit: int) -> int:
    """No limit is the machine's memory."""
    return _machine_memory() if limit >= _UNBOUNDED or limit == 0 else min(limit, _machine_memory())


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _system_cpu() -> int:
    """All CPU time of the machine since boot, idle included, in ns."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(word) for word in words[1:8]) * _TICK
