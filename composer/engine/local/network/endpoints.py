"""From a wish for an endpoint to its facts: order of the networks, names, addresses, MAC, interface.

Pure but for random ids and the leases that it takes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

from composer.engine.errors import InvalidArgument
from composer.engine.local.network import ipam, options
from composer.engine.local.network.ipam import Address, Pool
from composer.engine.local.network.links import Interface
from composer.engine.local.network.model import EndpointRow, SandboxRequest
from composer.engine.local.network.wiring import Cable
from composer.engine.local.network.zone import Member
from composer.engine.model import EndpointSettings, Network

_MAC = re.compile(r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$")


def in_order(endpoints: Iterable[tuple[Network, EndpointSettings]]) -> list[tuple[Network, EndpointSettings]]:
    """By gw_priority, the highest first, then by name: so the interfaces are numbered, and so the default route is chosen."""
    return sorted(endpoints, key=lambda pair: (-pair[1].gw_priority, pair[0].name))


def check(network: Network, settings: EndpointSettings, pools: Sequence[Pool]) -> None:
    """Refuse a wish that cannot be fulfilled in this network, before anything is made. InvalidArgument in dockerd's words."""
    for version, text in _fixed(settings):
        address = ipam.parse_address(text, version)
        if not any(address in pool for pool in pools):
            raise ipam.outside(address)
    for text in settings.ipam_config.link_local_ips if settings.ipam_config else ():
        _link_local(text)
    if settings.mac_address and not _MAC.match(settings.mac_address):
        raise InvalidArgument(f"invalid MAC address: {settings.mac_address}", hint="write 02:42:ac:11:00:02")
    options.interface_name(settings.driver_opts)
    options.endpoint_sysctls(settings.driver_opts, "eth0")


def _fixed(settings: EndpointSettings) -> list[tuple[int, str]]:
    wished = settings.ipam_config
    pairs = [(4, wished.ipv4_address), (6, wished.ipv6_address)] if wished else []
    return [(version, text) for version, text in pairs if text]


def _link_local(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid link-local IP address: {text}") from error
    if not address.is_link_local:
        raise InvalidArgument(f"invalid link-local IP address: {text}")
    return address


def lease(pools: Sequence[Pool], settings: EndpointSettings) -> list[tuple[Pool, Address]]:
    """One address from each IP version's pools; all or none. Conflict, InvalidArgument."""
    wanted = dict(_fixed(settings))
    held: list[tuple[Pool, Address]] = []
    try:
        for version in sorted({pool.subnet.version for pool in pools}):
            text = wanted.get(version)
            address = ipam.parse_address(text, version) if text else None
            candidates = [p for p in pools if p.subnet.version == version and (address is None or address in p)]
            if not candidates and address is not None:
                raise ipam.outside(address)
            held.append((candidates[0], candidates[0].lease(address)))
    except BaseException:
        release(held)
        raise
    return held


def release(held: Iterable[tuple[Pool, Address]]) -> None:
    for pool, address in held:
        pool.release(address)


def names(request: SandboxRequest, settings: EndpointSettings) -> tuple[str, ...]:
    """All names of an endpoint, the container's own first (it is what a reverse lookup tells)."""
    return tuple(dict.fromkeys(filter(None, (request.name, *settings.aliases, request.container_id[:12], request.hostname))))


def renamed(row: EndpointRow, old: str, new: str) -> EndpointRow:
    """The same endpoint of a container that is called otherwise now."""
    found = dict.fromkeys([new, *(name for name in row.settings.dns_names if name != old)])
    return row.replace(settings=row.settings.replace(dns_names=tuple(found)))


def settle(request: SandboxRequest, network: Network, settings: EndpointSettings, held: Sequence[tuple[Pool, Address]]) -> EndpointSettings:
    """The settings with all that was given filled in."""
    v4 = next(((p, a) for p, a in held if p.subnet.version == 4), None)
    v6 = next(((p, a) for p, a in held if p.subnet.version == 6), None)
    return settings.replace(
        network_id=network.id,
        endpoint_id=secrets.token_hex(32),
        gateway=str(v4[0].gateway) if v4 and not network.internal else "",
        ip_address=str(v4[1]) if v4 else "",
        ip_prefix_len=v4[0].subnet.prefixlen if v4 else 0,
        ipv6_gateway=str(v6[0].gateway) if v6 and not network.internal else "",
        global_ipv6_address=str(v6[1]) if v6 else "",
        global_ipv6_prefix_len=v6[0].subnet.prefixlen if v6 else 0,
        mac_address=settings.mac_address.lower().replace("-", ":") or mac_of(held[0][1]),
        dns_names=names(request, settings),
    )


def mac_of(address: Address) -> str:
    """02:42 and the IPv4 address, as Docker had it: whoever gets an address again keeps the neighbours' ARP entries true."""
    tail = address.packed[-4:]
    head = b"\x02\x42" if address.version == 4 else b"\x02\x46"
    return ":".join(f"{byte:02x}" for byte in head + tail)


def free_interface(wanted: str, taken: Iterable[str]) -> str:
    """The wished name, else the first free of eth0, eth1 ..."""
    used = set(taken)
    if wanted:
        if wanted in used:
            raise InvalidArgument(f"the interface name {wanted} is used by another endpoint of the container")
        return wanted
    number = 0
    while f"eth{number}" in used:
        number += 1
    return f"eth{number}"


def addresses(row: EndpointRow) -> tuple[Interface, ...]:
    """The interface's addresses, link-local ones that were asked for included."""
    s = row.settings
    found = [f"{s.ip_address}/{s.ip_prefix_len}"] if s.ip_address else []
    found += [f"{s.global_ipv6_address}/{s.global_ipv6_prefix_len}"] if s.global_ipv6_address else []
    wished = s.ipam_config.link_local_ips if s.ipam_config else ()
    return tuple(ip_interface(text) for text in (*found, *(f"{a}/{16 if ':' not in a else 64}" for a in wished)))


def cable(row: EndpointRow, bridge: str, *, published: bool, isolated: bool) -> Cable:
    sysctls = options.endpoint_sysctls(row.settings.driver_opts, row.interface)
    mac = row.settings.mac_address
    return Cable(row.link, row.interface, bridge, mac, row.mtu, addresses(row), sysctls, hairpin=published, isolated=isolated)


def gateways(rows: Sequence[EndpointRow]) -> tuple[tuple[Address, str], ...]:
    """(gateway, interface) of the default routes: of each IP version that of the first endpoint which has one."""
    found: list[tuple[Address, str]] = []
    v4 = next((row for row in rows if row.settings.gateway), None)
    v6 = next((row for row in rows if row.settings.ipv6_gateway), None)
    if v4:
        found.append((IPv4Address(v4.settings.gateway), v4.interface))
    if v6:
        found.append((IPv6Address(v6.settings.ipv6_gateway), v6.interface))
    return tuple(found)


def member(row: EndpointRow, container: str, *, alone: bool = False) -> Member:
    """``alone``: it answers to the names that nobody else has, its container's and its short id."""
    found = row.settings.dns_names
    names = tuple(n for n in found if n in (found[0], container[:12])) if alone else found
    return Member(container, names, row.settings.ip_address, row.settings.global_ipv6_address)


def target(rows: Collection[EndpointRow]) -> EndpointRow | None:
    """The endpoint that published ports lead to: the first that is not on an `internal` network."""
    return next((row for row in rows if row.settings.gateway or row.settings.ipv6_gateway), None)
