"""Who is still connected to a container: the TCP sockets of its namespace at ports that it listens on, read from proc_net_tcp (proc(5)).

So every connection is seen, over the host's ports and from neighbours, also where no packet of it is tracked by the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from composer.engine.local.network import namespace

_TABLES = ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6")
_LISTEN = "0A"
# <net/tcp_states.h>: ESTABLISHED, SYN_RECV, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING: something may still have to be said
_OPEN = frozenset({"01", "03", "04", "08", "09", "0B"})


def inbound(netns: Path, home: int) -> int:
    """How many there are now; 0 when the namespace is gone. For the one kernel thread."""
    return count(_sockets(netns, home))


def listening(netns: Path, home: int) -> frozenset[int]:
    """The ports that others can connect to; none when the namespace is gone. For the one kernel thread."""
    found = (line.split() for line in _sockets(netns, home))
    ends = (words[1].rpartition(":") for words in found if words[3] == _LISTEN)
    return frozenset(int(port, 16) for address, _, port in ends if not _is_loopback(address))


def _sockets(netns: Path, home: int) -> list[str]:
    try:
        with namespace.entered(netns, home):
            return [line for table in _TABLES for line in _lines(table)]
    except FileNotFoundError:
        return []


def _lines(table: str) -> list[str]:
    try:
        return Path(table).read_text().splitlines()[1:]
    except FileNotFoundError:
        return []  # no IPv6 in this kernel


def count(lines: Iterable[str]) -> int:
    """Of the lines of these tables, those of open connections to a port that is listened on, but for the container's own. Pure."""
    listening: set[str] = set()
    found: list[str] = []
    for line in lines:
        words = line.split()
        address, _, port = words[1].rpartition(":")
        if words[3] == _LISTEN:
            listening.add(port)
        elif words[3] in _OPEN and not _is_loopback(address):
            found.append(port)
    return sum(port in listening for port in found)


def _is_loopback(address: str) -> bool:
    """127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104 as the kernel prints them: words of four bytes in the machine's order (little-endian)."""
    if len(address) == 8:
        return address.endswith("7F")
    return address == "0" * 24 + "01000000" or (address.startswith("0" * 16 + "FFFF0000") and address.endswith("7F"))
