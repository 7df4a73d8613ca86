"""Limits that this kernel cannot keep: what is discarded of a HostConfig, with a warning for each, as dockerd does.

Source: verifyPlatformContainerResources of moby's daemon_unix.go; cgroup-v1/{memory,blkio-controller}.rst and cgroup-v2.rst of Linux.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.model import HostConfig

_WEIGHT = "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."
_WEIGHT_DEVICE = "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded."
_SWAPPINESS = "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded."
_OOM = "Your kernel does not support OomKillDisable. OomKillDisable discarded."


def supported(host: HostConfig, hierarchies: Hierarchies) -> tuple[HostConfig, tuple[str, ...]]:
    """The configuration without what cannot be, and the warnings."""
    changes: dict[str, Any] = {}
    warnings: list[str] = []

    def discard(field: str, value: Any, warning: str) -> None:
        if getattr(host, field):
            changes[field] = value
            warnings.append(warning)

    if (host.blkio_weight or host.blkio_weight_device) and not _has_weight(hierarchies):
        discard("blkio_weight", 0, _WEIGHT)
        discard("blkio_weight_device", (), _WEIGHT_DEVICE)
    if hierarchies.version == 2:
        if host.memory_swappiness is not None and host.memory_swappiness >= 0:
            discard("memory_swappiness", None, _SWAPPINESS)
        discard("oom_kill_disable", None, _OOM)
    return (host.replace(**changes), tuple(warnings)) if changes else (host, ())


def _has_weight(hierarchies: Hierarchies) -> bool:
    """v1: files of the root; v2: the root has none, so any group below tells."""
    if hierarchies.version == 1:
        root = hierarchies.v1.get("blkio")
        return root is not None and any((root / name).exists() for name in ("blkio.weight", "blkio.bfq.weight"))
    root = hierarchies.unified or Path("/sys/fs/cgroup")
    return any(next(root.glob(f"*/{name}"), None) is not None for name in ("io.weight", "io.bfq.weight"))
