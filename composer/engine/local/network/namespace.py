"""Network namespaces pinned by a bind mount (network_namespaces(7)), so that they outlive the processes in them and the daemon.

All functions but `is_pinned` run on the one kernel thread: they change its namespace and come back.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from composer.engine.local.linux.mount import MS_SHARED, bind, mount, mounts, unmount
from composer.engine.local.linux.namespace import CLONE_NEWNET, setns, unshare

_SYSCTLS = {  # dockerd's defaults for a container with its own network: any user may serve port 80 and ping
    "/proc/sys/net/ipv4/ip_unprivileged_port_start": b"0",
    "/proc/sys/net/ipv4/ping_group_range": b"0 2147483647",
}


@contextmanager
def created(path: Path, home: int) -> Iterator[None]:
    """Inside: the thread is in a new namespace that is pinned at ``path``. ``home``: fd of the namespace to return to."""
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o444))
    unshare(CLONE_NEWNET)
    try:
        bind("/proc/thread-self/ns/net", path)
        for name, value in _SYSCTLS.items():
            fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
            os.write(fd, value)
            os.close(fd)
        yield
    finally:
        setns(home, CLONE_NEWNET)


@contextmanager
def entered(path: Path, home: int) -> Iterator[None]:
    """Inside: the thread is in the namespace that is pinned at ``path``."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, CLONE_NEWNET)
    finally:
        os.close(fd)
    try:
        yield
    finally:
        setns(home, CLONE_NEWNET)


def pin(path: Path, pid: int) -> None:
    """Pin the namespace in which a process is, after somebody took the pin away."""
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o444))
    bind(f"/proc/{pid}/ns/net", path)


def drop(path: Path) -> None:
    """Unpin: the kernel takes the namespace and its cables down when its last process and socket are gone. Missing is fine."""
    while is_pinned(path):
        unmount(path)
    path.unlink(missing_ok=True)


def is_pinned(path: Path) -> bool:
    """Whether a namespace is mounted at ``path`` (else it is a plain file, or nothing)."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def share(directory: Path) -> None:
    """Make the pins that come later visible in mount namespaces that were copied from ours (the runtime's threads), as ip-netns(8) does."""
    target = os.path.realpath(directory)
    if not any(m.target == target for m in mounts()):
        bind(directory, directory)
    mount("none", directory, None, MS_SHARED)


def unshare_directory(directory: Path) -> None:
    """Undo `share` once no pin is left."""
    target = os.path.realpath(directory)
    if any(m.target == target for m in mounts()) and not any(directory.iterdir()):
        unmount(directory)


def dns_sockets(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket at ``address`` in the thread's namespace, both on one port (0: any)."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.bind((address, port))
        tcp.bind((address, udp.getsockname()[1]))
        tcp.listen(16)
    except BaseException:
        udp.close()
        tcp.close()
        raise
    return udp, tcp
