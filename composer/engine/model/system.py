"""The engine itself: what it is, what it uses."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.wire import Wire


class Info(Wire):
    """What `GET /info` says; a subset of Docker's fields, each of them true."""

    id: str = Field(default="", alias="ID")
    name: str = ""
    containers: int = 0
    containers_running: int = 0
    containers_paused: int = 0
    containers_stopped: int = 0
    images: int = 0
    driver: str = "overlay2"
    driver_status: tuple[tuple[str, str], ...] = ()
    docker_root_dir: str = ""
    server_version: str = ""
    operating_system: str = ""
    os_type: str = Field(default="linux", alias="OSType")
    architecture: str = ""
    kernel_version: str = ""
    ncpu: int = Field(default=0, alias="NCPU")
    mem_total: int = 0
    memory_limit: bool = True
    swap_limit: bool = True
    cpu_cfs_period: bool = True
    cpu_cfs_quota: bool = True
    cpu_shares: bool = Field(default=True, alias="CPUShares")
    cpu_set: bool = Field(default=True, alias="CPUSet")
    pids_limit: bool = True
    ipv4_forwarding: bool = Field(default=True, alias="IPv4Forwarding")
    oom_kill_disable: bool = True
    cgroup_driver: str = "cgroupfs"
    cgroup_version: str = "1"
    default_runtime: str = ""
    runtimes: dict[str, dict[str, str]] = Field(default_factory=dict)
    security_options: tuple[str, ...] = ()
    logging_driver: str = "json-file"
    labels: tuple[str, ...] = ()
    live_restore_enabled: bool = True
    experimental_build: bool = False
    warnings: tuple[str, ...] = ()


class DiskUsage(Wire):
    """Bytes used by kind, for `system df`: total count, active count, size, reclaimable."""

    kind: str = ""
    total: int = 0
    active: int = 0
    size: int = 0
    reclaimable: int = 0
