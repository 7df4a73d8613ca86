"""Who has a port of the host: its sockets, and the processes that hold them.

The kernel is asked by `diag`; where it has no such thing, /proc/net is read. A socket's owner is found by its inode among the open files of
all processes, and only for ports that are asked about: that walk costs milliseconds, and a port that is free needs none. Source: proc(5).
"""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from composer.engine.local.network import diag
from composer.engine.local.network.diag import Socket
from composer.engine.model.facts import PortHolder

_LISTEN = "0A"
_TABLES = (("tcp", "tcp"), ("tcp", "tcp6"), ("udp", "udp"), ("udp", "udp6"))
_CONTAINER = re.compile(r"[0-9a-f]{64}")
Claims = Mapping[tuple[str, str, int], str]  # (protocol, address, port) -> container id


def sockets() -> list[Socket]:
    """All of this network namespace."""
    try:
        return diag.sockets()
    except OSError:  # a kernel without inet_diag
        return from_tables(read_table)


def from_tables(read: Callable[[str], str]) -> list[Socket]:
    """``read``: a table of /proc/net by its name -> its text."""
    found = []
    for protocol, table in _TABLES:
        for line in read(table).splitlines()[1:]:
            fields = line.split()
            if len(fields) < 10 or (protocol == "tcp" and fields[3] != _LISTEN):
                continue
            address, _, port = fields[1].partition(":")
            host = _address(address)
            found.append(Socket(protocol, host, int(port, 16), int(fields[9]), None if host == "::" else False))
    return found


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's own byte order."""
    packed = b"".join(bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8))
    if len(packed) == 4:
        return str(IPv4Address(packed))
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def read_table(name: str) -> str:
    """A table of /proc/net; empty where the kernel has no IPv6."""
    try:
        return Path("/proc/net", name).read_text()
    except FileNotFoundError:
        return ""


def holders(
    wanted: Collection[tuple[str, int]], claims: Claims, known: Callable[[str], bool], there: Sequence[Socket] | None = None
) -> tuple[tuple[PortHolder, ...], frozenset[tuple[str, int]]]:
    """Those who hold a wanted (protocol, port), and all ports in use. ``claims``: of the engine's containers; ``known``: is this the id
    of a container of the engine? ``there``: all sockets, None: those of the host."""
    there = sockets() if there is None else there
    about = [one for one in there if (one.protocol, one.port) in wanted]
    strange = {one.inode for one in about if (one.protocol, one.address, one.port) not in claims}
    owners = _owners(strange) if strange else {}
    found = []
    for one in about:
        container = claims.get((one.protocol, one.address, one.port), "")
        pid = 0 if container else owners.get(one.inode, 0)
        found.append(
            PortHolder(
                protocol=one.protocol,
                address=one.address,
                port=one.port,
                dual=not container and (_takes_ipv4(one) if one.dual is None else one.dual),
                container=container or (_container(pid, known) if pid else ""),
                pid=pid,
                process=_read(f"/proc/{pid}/comm").strip() if pid else "",
                user=_user(pid) if pid else "",
            )
        )
    return tuple(dict.fromkeys(found)), frozenset((one.protocol, one.port) for one in there)


def _takes_ipv4(one: Socket) -> bool:
    """Whether a socket on "::" has IPv4's port, too: /proc/net does not tell, binding does."""
    kind = socket.SOCK_STREAM if one.protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("0.0.0.0", one.port))
        except OSError:
            return True
    return False


def _owners(inodes: set[int]) -> dict[int, int]:
    """inode -> pid of the first process that has it open."""
    left = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        for target in _open_files(pid):
            inode = left.pop(target, None)
            if inode is not None:
                found[inode] = pid
        if not left:
            break
    return found


def _open_files(pid: int) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except OSError:  # it has ended, or is not ours to look at
        return
    for name in names:
        try:
            yield os.readlink(f"{directory}/{name}")
        except OSError:  # closed meanwhile
            continue


def _container(pid: int, known: Callable[[str], bool]) -> str:
    """The container of the engine whose cgroup the process is in (it has the host's network)."""
    return next((name for name in _CONTAINER.findall(_read(f"/proc/{pid}/cgroup")) if known(name)), "")


def _user(pid: int) -> str:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
