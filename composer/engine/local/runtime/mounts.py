"""What is mounted in a container, as dockerd has it: the defaults, the user's mounts over them, tmpfs options, masked paths. Pure.

Source: moby's daemon/oci_linux.go and oci/defaults.go; the OCI runtime specification (mounts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.engine.model import HostConfig

SHM_SIZE = 64 * 1024 * 1024
MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_WRITABLE = ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")  # stay writable beneath a read-only root
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_FLAG_PAIRS = (
    ("ro", "rw"),
    ("exec", "noexec"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("atime", "noatime"),
    ("diratime", "nodiratime"),
    ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"),
    ("sync", "async"),
    ("mand", "nomand"),
)
_OPPOSITES = {a: b for pair in _FLAG_PAIRS for a, b in (pair, pair[::-1])}
_TMPFS_KEYS = frozenset(("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge"))


@dataclass(frozen=True, slots=True)
class BundleMount:
    """A bind mount of a host path (volumes, binds, /etc/hosts ...), resolved: ``source`` exists. ``propagation`` "" = rprivate."""

    destination: str
    source: str
    read_only: bool = False
    propagation: str = ""
    recursive: bool = True

    def render(self) -> dict[str, Any]:
        if self.propagation and self.propagation not in _PROPAGATIONS:
            raise InvalidArgument(f"invalid propagation mode: {self.propagation}")
        options = ["rbind" if self.recursive else "bind", *(["ro"] if self.read_only else []), self.propagation or "rprivate"]
        return {"destination": self.destination, "type": "bind", "source": self.source, "options": options}


def render(host: HostConfig, binds: Sequence[BundleMount], *, shm: str | None) -> list[dict[str, Any]]:
    """All mounts of config.json, in order: what lies deeper comes later.

    ``shm``: a host directory to be /dev/shm (shared IPC, or the host's); None: a tmpfs of the container's own.
    Raises InvalidArgument.
    """
    wished = [mount.render() for mount in binds] + _tmpfs_mounts(host)
    if shm is not None and host.ipc_mode != "none":
        wished.insert(0, BundleMount("/dev/shm", shm).render())
    taken = {mount["destination"] for mount in wished}
    wished.sort(key=lambda mount: mount["destination"].rstrip("/").count("/"))
    result = [mount for mount in _defaults(host) if mount["destination"] not in taken]
    if "/dev" in taken:
        result = [mount for mount in result if not mount["destination"].startswith("/dev/")]
    if host.readonly_rootfs:
        for mount in result:
            if mount["destination"] not in _WRITABLE and "ro" not in mount["options"]:
                mount["options"].append("ro")
    return result + wished


def root_propagation(binds: Iterable[BundleMount]) -> str | None:
    """linux.rootfsPropagation that the binds need."""
    wished = {mount.propagation.removeprefix("r") for mount in binds if mount.propagation}
    if "shared" in wished:
        return "shared"
    return "rslave" if "slave" in wished else None


def masked(host: HostConfig) -> list[str]:
    if host.masked_paths is not None:
        return list(host.masked_paths)
    return [] if host.privileged or "systempaths=unconfined" in host.security_opt else list(MASKED)


def read_only(host: HostConfig) -> list[str]:
    if host.readonly_paths is not None:
        return list(host.readonly_paths)
    return [] if host.privileged or "systempaths=unconfined" in host.security_opt else list(READ_ONLY)


def tmpfs_options(text: str, base: Sequence[str] = ("noexec", "nosuid", "nodev")) -> list[str]:
    """Options of a tmpfs ("size=64m,mode=1770,exec") merged over ``base``: of what contradicts, the last holds."""
    merged: dict[str, str] = {}
    for option in [*base, *(word for word in text.split(",") if word)]:
        key, equals, _ = option.partition("=")
        if equals and key not in _TMPFS_KEYS:
            raise InvalidArgument(f'Invalid tmpfs option "{option}"', hint=f"known are {', '.join(sorted(_TMPFS_KEYS))} and mount flags")
        if not equals and key not in _OPPOSITES and key not in (*_PROPAGATIONS, "noswap"):
            raise InvalidArgument(f'Invalid tmpfs option "{option}"')
        if not equals:
            merged.pop(_OPPOSITES.get(key, ""), None)
        merged.pop(key, None)
        merged[key] = option
    return list(merged.values())


def _tmpfs_mounts(host: HostConfig) -> list[dict[str, Any]]:
    wished = dict(host.tmpfs)
    for mount in host.mounts:
        if mount.type != "tmpfs":
            continue
        words = ["ro"] if mount.read_only else []
        if mount.tmpfs_options is not None and mount.tmpfs_options.size_bytes:
            words.append(f"size={mount.tmpfs_options.size_bytes}")
        if mount.tmpfs_options is not None and mount.tmpfs_options.mode:
            words.append(f"mode={mount.tmpfs_options.mode:o}")
        wished[mount.target] = ",".join(words)
    return [
        {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": tmpfs_options(options)} for target, options in wished.items()
    ]


def _defaults(host: HostConfig) -> list[dict[str, Any]]:
    system = "rw" if host.privileged else "ro"
    table = [
        ("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
        ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", system]),
        ("/sys/fs/cgroup", "cgroup", "cgroup", [system, "nosuid", "noexec", "nodev"]),
        ("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    ]
    if host.ipc_mode != "none":
        size = host.shm_size or SHM_SIZE
        table.append(("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", f"size={size}"]))
    return [{"destination": at, "type": kind, "source": source, "options": options} for at, kind, source, options in table]
