"""What a container uses, as `GET /containers/ID/stats` streams it."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.container import ZERO_TIME
from composer.engine.model.wire import Wire


class CPUUsage(Wire):
    total_usage: int = Field(default=0, alias="total_usage")  # ns
    usage_in_kernelmode: int = Field(default=0, alias="usage_in_kernelmode")
    usage_in_usermode: int = Field(default=0, alias="usage_in_usermode")


class ThrottlingData(Wire):
    periods: int = Field(default=0, alias="periods")
    throttled_periods: int = Field(default=0, alias="throttled_periods")
    throttled_time: int = Field(default=0, alias="throttled_time")


class CPUStats(Wire):
    cpu_usage: CPUUsage = Field(default_factory=CPUUsage, alias="cpu_usage")
    system_cpu_usage: int = Field(default=0, alias="system_cpu_usage")
    online_cpus: int = Field(default=0, alias="online_cpus")
    throttling_data: ThrottlingData = Field(default_factory=ThrottlingData, alias="throttling_data")


class MemoryStats(Wire):
    usage: int = Field(default=0, alias="usage")
    max_usage: int = Field(default=0, alias="max_usage")
    limit: int = Field(default=0, alias="limit")
    stats: dict[str, int] = Field(default_factory=dict, alias="stats")


class PidsStats(Wire):
    current: int = Field(default=0, alias="current")
    limit: int = Field(default=0, alias="limit")


class NetworkStats(Wire):
    rx_bytes: int = Field(default=0, alias="rx_bytes")
    rx_packets: int = Field(default=0, alias="rx_packets")
    rx_errors: int = Field(default=0, alias="rx_errors")
    rx_dropped: int = Field(default=0, alias="rx_dropped")
    tx_bytes: int = Field(default=0, alias="tx_bytes")
    tx_packets: int = Field(default=0, alias="tx_packets")
    tx_errors: int = Field(default=0, alias="tx_errors")
    tx_dropped: int = Field(default=0, alias="tx_dropped")


class BlkioEntry(Wire):
    major: int = Field(default=0, alias="major")
    minor: int = Field(default=0, alias="minor")
    op: str = Field(default="", alias="op")
    value: int = Field(default=0, alias="value")


class BlkioStats(Wire):
    io_service_bytes_recursive: tuple[BlkioEntry, ...] = Field(default=(), alias="io_service_bytes_recursive")


class Stats(Wire):
    name: str = Field(default="", alias="name")
    id: str = Field(default="", alias="id")
    read: str = Field(default=ZERO_TIME, alias="read")
    preread: str = Field(default=ZERO_TIME, alias="preread")
    pids_stats: PidsStats = Field(default_factory=PidsStats, alias="pids_stats")
    cpu_stats: CPUStats = Field(default_factory=CPUStats, alias="cpu_stats")
    precpu_stats: CPUStats = Field(default_factory=CPUStats, alias="precpu_stats")
    memory_stats: MemoryStats = Field(default_factory=MemoryStats, alias="memory_stats")
    blkio_stats: BlkioStats = Field(default_factory=BlkioStats, alias="blkio_stats")
    networks: dict[str, NetworkStats] = Field(default_factory=dict, alias="networks")
