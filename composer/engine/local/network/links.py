"""Links, addresses and routes as netlink messages (rtnetlink(7)), and what the kernel lists of them.

A bridge is a network's switch on the host. A veth pair is a cable: its host end is plugged into the bridge, its other end (eth0, eth1 ...)
lies in the container's network namespace.
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_network

from composer.engine.local.network.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    NetlinkSocket,
    attribute,
    attributes,
    nested,
    number,
    text,
)

Interface = IPv4Interface | IPv6Interface
Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_GETROUTE = 20, 21, 22, 24, 26
RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR = 1, 5, 9
_IFF_UP = 1
_ADDRESS, _IFNAME, _MTU, _MASTER, _LINKINFO, _IFALIAS, _AF_SPEC, _NET_NS_FD = 1, 3, 4, 10, 18, 20, 26, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_INFO_SLAVE_KIND, _INFO_SLAVE_DATA, _BRPORT_MODE, _BRPORT_ISOLATED = 4, 5, 4, 33
_INET6_ADDR_GEN_MODE = 8
_IFA_F_NODAD, _IFA_F_PERMANENT = 0x02, 0x80
_NO_LINK_LOCAL = nested(_AF_SPEC, nested(socket.AF_INET6, attribute(_INET6_ADDR_GEN_MODE, b"\x01")))


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the kernel lists it; ``master``: the index of its bridge, 0 = none."""

    index: int
    name: str
    up: bool
    mtu: int
    master: int
    alias: str = ""


def _info(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", "").replace("-", ""))


def new_bridge(name: str, mac: str, mtu: int, alias: str) -> Message:
    """A bridge that is up. Exists already: fine. ``alias``: free text by which its owner knows it again."""
    body = _info(0, _IFF_UP, _IFF_UP) + text(_IFNAME, name) + attribute(_ADDRESS, mac_bytes(mac)) + number(_MTU, mtu)
    body += text(_IFALIAS, alias) + nested(_LINKINFO, text(_INFO_KIND, "bridge"))
    return Message(RTM_NEWLINK, body, f"bridge {name}", NLM_F_CREATE | NLM_F_EXCL, (errno.EEXIST,))


def new_veth(host: str, bridge: int, peer: str, namespace: int, mac: str, mtu: int) -> Message:
    """A pair: the host end up and in the bridge, the peer (down) in the namespace of the fd."""
    inside = _info() + text(_IFNAME, peer) + attribute(_ADDRESS, mac_bytes(mac)) + number(_MTU, mtu) + number(_NET_NS_FD, namespace)
    data = nested(_INFO_DATA, attribute(_VETH_PEER, inside))
    body = _info(0, _IFF_UP, _IFF_UP) + text(_IFNAME, host) + number(_MTU, mtu) + number(_MASTER, bridge)
    body += nested(_LINKINFO, text(_INFO_KIND, "veth"), data)
    return Message(RTM_NEWLINK, body, f"link {peer} ({host})", NLM_F_CREATE | NLM_F_EXCL)


def bridge_port(host: str, *, hairpin: bool, isolated: bool) -> Message:
    """How the bridge treats a cable. ``hairpin``: what came from it may go back to it; ``isolated``: no other isolated one."""
    values = [attribute(_BRPORT_MODE, bytes([hairpin])), attribute(_BRPORT_ISOLATED, bytes([isolated]))]
    info = nested(_LINKINFO, text(_INFO_SLAVE_KIND, "bridge"), nested(_INFO_SLAVE_DATA, *values))
    return Message(RTM_NEWLINK, _info() + text(_IFNAME, host) + info, f"bridge port {host}")


def set_up(index: int, *, link_local: bool = True) -> Message:
    """``link_local``: with an IPv6 link-local address made by the kernel."""
    body = _info(index, _IFF_UP, _IFF_UP) + (b"" if link_local else _NO_LINK_LOCAL)
    return Message(RTM_NEWLINK, body, f"link {index} up")


def set_master(index: int, bridge: int) -> Message:
    return Message(RTM_NEWLINK, _info(index, _IFF_UP, _IFF_UP) + number(_MASTER, bridge), f"link {index} into its bridge")


def delete_link(name: str) -> Message:
    return Message(RTM_DELLINK, _info() + text(_IFNAME, name), f"link {name}", 0, (errno.ENODEV,))


def new_address(index: int, address: Interface) -> Message:
    """Give an address; for IPv6 without duplicate address detection (we lease each once), so that it is usable at once."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    packed = address.ip.packed
    flags = 0 if address.version == 4 else _IFA_F_NODAD
    body = struct.pack("=BBBBi", family, address.network.prefixlen, _IFA_F_PERMANENT | flags, 0, index)
    body += attribute(2, packed) + attribute(1, packed)  # IFA_LOCAL, IFA_ADDRESS
    if isinstance(address, IPv4Interface) and address.network.prefixlen < 31:
        body += attribute(4, address.network.broadcast_address.packed)
    return Message(RTM_NEWADDR, body, f"address {address}", NLM_F_CREATE | NLM_F_EXCL, (errno.EEXIST,))


def default_route(gateway: Address, index: int) -> Message:
    family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 3, 0, 1, 0)  # table main, protocol boot, scope universe, unicast
    body += attribute(5, gateway.packed) + number(4, index)  # RTA_GATEWAY, RTA_OIF
    return Message(RTM_NEWROUTE, body, f"default route by {gateway}", NLM_F_CREATE | NLM_F_REPLACE)


def links(route: NetlinkSocket) -> dict[str, Link]:
    """All links of the socket's namespace, by name."""
    found = {}
    for body in route.dump(RTM_GETLINK, _info()):
        link = _link(body)
        found[link.name] = link
    return found


def link(route: NetlinkSocket, name: str) -> Link | None:
    body = route.get(RTM_GETLINK, _info() + text(_IFNAME, name))
    return None if body is None else _link(body)


def link_name(body: bytes) -> str:
    """The name in the payload of an RTM_NEWLINK or RTM_DELLINK."""
    return next((value.rstrip(b"\0").decode() for kind, value in attributes(body, 16) if kind == _IFNAME), "")


def _link(body: bytes) -> Link:
    _family, _type, index, flags, _change = struct.unpack_from("=BxHiII", body)
    values = dict(attributes(body, 16))
    master = values.get(_MASTER, bytes(4))
    return Link(
        index=index,
        name=values[_IFNAME].rstrip(b"\0").decode(),
        up=bool(flags & _IFF_UP),
        mtu=int.from_bytes(values.get(_MTU, b""), "little"),
        master=int.from_bytes(master, "little"),
        alias=values.get(_IFALIAS, b"").rstrip(b"\0").decode(errors="replace"),
    )


def addresses(route: NetlinkSocket) -> list[tuple[int, Interface]]:
    """(link index, address) of all addresses."""
    found: list[tuple[int, Interface]] = []
    for body in route.dump(RTM_GETADDR, struct.pack("=BBBBi", 0, 0, 0, 0, 0)):
        family, prefix, _flags, _scope, index = struct.unpack_from("=BBBBi", body)
        values = dict(attributes(body, 8))
        raw = values.get(2) or values.get(1)
        if raw and family == socket.AF_INET:
            found.append((index, IPv4Interface((raw, prefix))))
        elif raw and family == socket.AF_INET6:
            found.append((index, IPv6Interface((raw, prefix))))
    return found


@dataclass(frozen=True, slots=True)
class Route:
    subnet: Subnet
    link: int
    gateway: bool


def routes(route: NetlinkSocket) -> list[Route]:
    """The unicast routes of the main table."""
    found = []
    for body in route.dump(RTM_GETROUTE, struct.pack("=BBBBBBBBI", 0, 0, 0, 0, 0, 0, 0, 0, 0)):
        family, prefix, _src, _tos, table, _protocol, _scope, kind, _flags = struct.unpack_from("=BBBBBBBBI", body)
        if table != 254 or kind != 1 or family not in (socket.AF_INET, socket.AF_INET6):
            continue
        values = dict(attributes(body, 12))
        raw = values.get(1, bytes(4 if family == socket.AF_INET else 16))
        oif = int.from_bytes(values.get(4, b""), "little")
        found.append(Route(ip_network((raw, prefix)), oif, 5 in values))
    return found
