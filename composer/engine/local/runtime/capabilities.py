"""Capabilities of a container's processes: Docker's default set, tweaked by cap_add and cap_drop (capabilities(7))."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from composer.engine.errors import InvalidArgument

# fmt: off
_NAMES = (  # in the kernel's order: the index is the capability's number
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND",
    "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)
_DEFAULT = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
    "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)
# fmt: on
ALL = tuple(f"CAP_{name}" for name in _NAMES)
DEFAULT = tuple(f"CAP_{name}" for name in _DEFAULT)


@functools.cache
def known() -> tuple[str, ...]:
    """What this process may give away at all: its bounding set, which is what the kernel knows and nobody has taken from us."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            bits = int(line.split()[1], 16)
            return tuple(name for number, name in enumerate(ALL) if bits >> number & 1)
    return ALL


def resolve(
    add: Sequence[str] = (), drop: Sequence[str] = (), *, privileged: bool = False, available: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The capabilities a container gets. ``available``: what can be given at all (by default `known`).

    Names may lack CAP_ and be in any case; ALL means all. Raises InvalidArgument in dockerd's words for an unknown name.
    """
    have = tuple(known() if available is None else available)
    adds, drops = _names("CapAdd", add, have), _names("CapDrop", drop, ALL)
    if privileged:
        return have
    if "ALL" in adds:
        return tuple(name for name in have if name not in drops)
    if "ALL" in drops:
        return tuple(name for name in have if name in adds)
    return tuple(name for name in have if (name in DEFAULT and name not in drops) or name in adds)


def sets(capabilities: Iterable[str], uid: int) -> dict[str, list[str]]:
    """The OCI object: root gets them effective; another user has them in the bounding set only (as Docker since 20.10)."""
    bounding = list(capabilities)
    if uid != 0:
        return {"bounding": bounding, "effective": [], "permitted": [], "inheritable": [], "ambient": []}
    return {"bounding": bounding, "effective": bounding, "permitted": bounding, "inheritable": [], "ambient": []}


def _names(field: str, given: Sequence[str], available: Sequence[str]) -> set[str]:
    names = set()
    for text in given:
        name = text.upper()
        if name != "ALL" and not name.startswith("CAP_"):
            name = f"CAP_{name}"
        if name in ("ALL", "CAP_ALL"):
            names.add("ALL")
        elif name in available:
            names.add(name)
        elif name in ALL:
            raise InvalidArgument(f'invalid {field}: capability not supported by your kernel or not available: "{name}"')
        else:
            raise InvalidArgument(f'invalid {field}: unknown capability: "{name}"')
    return names
