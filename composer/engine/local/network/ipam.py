"""Addresses: cutting a network's subnet from the engine's pool, and leasing the addresses of a subnet. Pure.

A lease is one address held by one endpoint; the lowest free address is given, so that a container which comes back mostly gets its old
one. Words of refusals are dockerd's (libnetwork/ipam, api/types/network).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from composer.engine.errors import Conflict, InvalidArgument
from composer.engine.model import IPAMPool

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network
_NETWORKS = 6  # bits of a pool that number its networks, within these bounds: a /16 gives 64 networks
_LARGEST, _SMALLEST, _PREFIX_V6 = 22, 24, 64  # a /22 has 1,021 addresses, about as many as a bridge takes links (1,023)


class Pool:
    """The leases of one subnet. ``gateway`` is the bridge's own address; ``reserved`` (aux addresses, the gateway) are never leased."""

    def __init__(self, subnet: Subnet, gateway: Address, *, span: Subnet | None = None, reserved: Iterable[Address] = ()) -> None:
        self.subnet = subnet
        self.gateway = gateway
        span = span or subnet
        self._first, self._last = _bounds(span if span.prefixlen > subnet.prefixlen else subnet, subnet)
        self._base = int(subnet.network_address)
        self._used = {int(gateway), *(int(address) for address in reserved)}
        self._hint = self._first
        self._make = IPv4Address if subnet.version == 4 else IPv6Address

    def __contains__(self, address: Address) -> bool:
        return address in self.subnet

    def lease(self, wanted: Address | None = None) -> Address:
        """The lowest free address of the range, or the wanted one. Conflict: it is taken, or none is left; InvalidArgument: outside."""
        if wanted is not None:
            return self._lease_wanted(wanted)
        value = self._hint
        while value in self._used:
            value += 1
        if value > self._last:
            raise Conflict("no available IPv4 addresses on this network's address pools" if self.subnet.version == 4 else "no free address")
        self._used.add(value)
        self._hint = value + 1
        return self._make(value)

    def _lease_wanted(self, wanted: Address) -> Address:
        if wanted not in self.subnet:
            raise outside(wanted)
        low, high = _bounds(self.subnet, self.subnet)
        if int(wanted) in self._used or not low <= int(wanted) <= high:
            raise Conflict("Address already in use", hint=f"{wanted} is taken in {self.subnet}; choose another or none")
        self._used.add(int(wanted))
        return wanted

    def release(self, address: Address) -> None:
        """Give a lease back; one that is not held is fine."""
        if address == self.gateway:
            return
        self._used.discard(int(address))
        if self._first <= int(address) < self._hint:
            self._hint = int(address)


def _bounds(span: Subnet, subnet: Subnet) -> tuple[int, int]:
    """First and last address of ``span`` that a host of ``subnet`` may have (no network address, no broadcast)."""
    first, last = int(span.network_address), int(span.broadcast_address)
    wide = subnet.prefixlen < subnet.max_prefixlen - 1
    if wide and first == int(subnet.network_address):
        first += 1
    if wide and subnet.version == 4 and last == int(subnet.broadcast_address):
        last -= 1
    return first, last


def outside(address: Address) -> InvalidArgument:
    """The refusal of an address that no subnet of the network holds."""
    return InvalidArgument(f"invalid endpoint settings: no configured subnet or ip-range contain the IP address {address}")


def choose_subnet(pool: Subnet, taken: Iterable[Subnet]) -> Subnet:
    """The first block of the pool that overlaps nothing taken: a /22 of a /16, a /64 of IPv6. Conflict when the pool is full."""
    prefix = min(max(pool.prefixlen + _NETWORKS, _LARGEST), _SMALLEST) if pool.version == 4 else _PREFIX_V6
    size = 1 << (pool.max_prefixlen - max(pool.prefixlen, prefix))
    ranges = sorted((int(s.network_address), int(s.broadcast_address)) for s in taken if s.version == pool.version)
    value, end = int(pool.network_address), int(pool.broadcast_address)
    for low, high in ranges:
        if high < value:
            continue
        if low >= value + size:
            break
        value = (high // size + 1) * size  # the first aligned block behind what is taken
    if value + size - 1 > end:
        raise Conflict(
            "all predefined address pools have been fully subnetted",
            hint=f"remove networks, or start the engine with a pool larger than {pool}",
        )
    return ip_network((value, pool.max_prefixlen - size.bit_length() + 1))


def make_pool(config: IPAMPool) -> Pool:
    """The pool that a network's ipam config describes (gateway filled in). InvalidArgument in dockerd's words."""
    subnet = parse_subnet(config.subnet)
    span = _parse_range(config.ip_range, subnet) if config.ip_range else None
    gateway = _inside(config.gateway, subnet, "gateway") if config.gateway else _first(subnet)
    return Pool(subnet, gateway, span=span, reserved=[_inside(a, subnet, "auxiliary address") for a in config.aux_addresses.values()])


def parse_subnet(text: str) -> Subnet:
    try:
        subnet = ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidArgument(f"invalid network config: invalid subnet {text}: invalid CIDR block notation") from error
    if "/" not in text:
        raise InvalidArgument(f"invalid network config: invalid subnet {text}: invalid CIDR block notation", hint=f"write {text}/24")
    if ip_address(text.partition("/")[0]) != subnet.network_address:
        raise InvalidArgument(f"invalid network config: invalid subnet {text}: it should be {subnet}")
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        raise InvalidArgument(f"invalid network config: subnet {subnet} is too small: it holds no gateway and container")
    return subnet


def _parse_range(text: str, subnet: Subnet) -> Subnet:
    try:
        span = ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidArgument(f"invalid network config: invalid ip-range {text}: invalid CIDR block notation") from error
    if span.version != subnet.version or span.prefixlen < subnet.prefixlen or not span.overlaps(subnet):
        raise InvalidArgument(f"invalid network config: invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range")
    return span


def _inside(text: str, subnet: Subnet, what: str) -> Address:
    try:
        address = ip_address(text.partition("/")[0])
    except ValueError as error:
        raise InvalidArgument(f"invalid network config: invalid {what} {text}: invalid address") from error
    if address not in subnet:
        raise InvalidArgument(f"invalid network config: invalid {what} {text}: parent subnet {subnet} doesn't contain it")
    return address


def _first(subnet: Subnet) -> Address:
    return subnet.network_address + 1


def parse_address(text: str, version: int) -> Address:
    """A wanted address of that IP version. InvalidArgument."""
    try:
        address = ip_address(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {text}") from error
    if address.version != version:
        raise InvalidArgument(f"invalid IPv{version} address: {text}")
    return address
