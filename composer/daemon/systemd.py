"""What the daemon tells systemd and takes from it: readiness, and the delegated cgroup of its containers.

The containers' cgroups are beneath a unit of their own (composer-containers.service, Delegate=yes), not beneath the daemon's: systemd
before 254 cannot start a service again in a cgroup that has delegated children (the no-internal-processes rule of cgroup v2).
Source: sd_notify(3), systemd.resource-control(5), cgroups(7).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from composer.engine.errors import Unavailable

_CGROUPS = Path("/sys/fs/cgroup")


def notify(environ: Mapping[str, str], *states: str) -> None:
    """Tell the service manager (``READY=1``); nothing when there is none."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto("\n".join(states).encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            raise Unavailable(f"cannot tell the service manager at {address}: {error.strerror}") from error


def delegated(path: str, hierarchy: Path = _CGROUPS) -> str:
    """The cgroup for containers beneath the unit's own at ``path``, with its controllers given on; "" without a pure cgroup v2 hierarchy.

    The process that holds the unit's cgroup is put into a group of its own first: what gives controllers on may hold no process.
    """
    group = hierarchy / path.lstrip("/")
    if not path or not (hierarchy / "cgroup.controllers").exists() or not group.is_dir():
        return ""
    try:
        (group / "holder").mkdir(exist_ok=True)
        for pid in (group / "cgroup.procs").read_text().split():
            (group / "holder" / "cgroup.procs").write_text(pid)
        for controller in (group / "cgroup.controllers").read_text().split():
            (group / "cgroup.subtree_control").write_text(f"+{controller}")
    except OSError as error:
        raise Unavailable(f"cannot use the delegated cgroup {path}: {error.strerror}", hint="is Delegate=yes set for that unit?") from error
    return f"/{path.strip('/')}/containers"


def inherited(environ: Mapping[str, str], pid: int) -> list[socket.socket]:
    """The sockets that systemd passed (sd_listen_fds(3)); none when they were meant for another process."""
    if environ.get("LISTEN_PID") != str(pid) or not environ.get("LISTEN_FDS", "").isdigit():
        return []
    first = 3  # SD_LISTEN_FDS_START
    found = [socket.socket(fileno=fd) for fd in range(first, first + int(environ["LISTEN_FDS"]))]
    for sock in found:
        os.set_inheritable(sock.fileno(), False)
    return found
