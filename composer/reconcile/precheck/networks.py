"""Networks that are made, and the addresses that services are to have in them. Pure.

Refusals are dockerd's words. What overlaps is found as the engine finds it: with another network, with what the host reaches directly,
or with a route of the host that is narrower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from composer.reconcile import labels
from composer.reconcile.model import Ref
from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.ports import container_words
from composer.reconcile.precheck.scene import Scene
from composer.spec.model import Network, Pool
from composer.spec.problems import did_you_mean

Subnet = IPv4Network | IPv6Network
_OVERLAP = "invalid pool request: Pool overlaps with other one on this address space"
_WRONG = "invalid network config"


@dataclass(frozen=True, slots=True)
class Taken:
    """A range of addresses, and what has it, in words. ``direct``: whatever overlaps it is refused, not only what hides it."""

    subnet: Subnet
    what: str
    direct: bool = True


def check_networks(scene: Scene) -> Iterator[Finding]:
    """All findings about the networks that the plan makes."""
    taken = [*_of_engine(scene), *_of_host(scene)]
    for key in scene.networks:
        network = scene.stack.networks[key]
        yield from _driver(scene, key, network)
        for index, pool in enumerate(network.ipam.config):
            path = ("networks", key, "ipam", "config", index)
            found = list(_pool(pool, path))
            yield from found
            if not found and pool.subnet:
                subnet = ip_network(pool.subnet)
                yield from _overlap(scene, subnet, taken, (*path, "subnet"))
                taken.append(Taken(subnet, f"network {key} of this stack ({subnet})"))
    yield from _exhausted(scene)


def _of_engine(scene: Scene) -> Iterator[Taken]:
    for network in scene.engaged.networks:
        if network.id in scene.gone:
            continue
        project = network.labels.get(labels.PROJECT, "")
        whose = " of this stack" if project == scene.stack.name else f" of stack {project}" if project else ""
        for pool in network.ipam.config:
            if pool.subnet:
                yield Taken(ip_network(pool.subnet, strict=False), f"network {network.name}{whose} ({pool.subnet})")


def _of_host(scene: Scene) -> Iterator[Taken]:
    for route in scene.facts.routes or ():
        what = f"the host's interface {route.interface}" if route.direct else f"a route of the host by {route.interface}"
        yield Taken(ip_network(route.subnet, strict=False), f"{what} ({route.subnet})", route.direct)


def _driver(scene: Scene, key: str, network: Network) -> Iterator[Finding]:
    known = scene.facts.network_drivers
    if known is None or network.driver in ("", "default", *known):
        return
    message = f"the network driver {network.driver} is not supported"
    if network.driver in ("host", "none", "null"):
        message = f'only one instance of "{network.driver.replace("none", "null")}" network is allowed'
        hint = f"use `network_mode: {network.driver.replace('null', 'none')}` in the service, or `external: true` with that name"
    else:
        hint = did_you_mean(network.driver, known, listed="this engine has: ")
    yield Finding("plan.network-driver", message, ("networks", key, "driver"), hint)


def _pool(pool: Pool, path: tuple[str | int, ...]) -> Iterator[Finding]:
    """What is wrong with a pool in itself."""
    if not pool.subnet:
        return
    subnet = _parse(pool.subnet)
    if subnet is None or "/" not in pool.subnet:
        hint = "such as 10.20.0.0/24" if subnet is None else f"write {pool.subnet}/24"
        message = f"{_WRONG}: invalid subnet {pool.subnet}: invalid CIDR block notation"
        yield Finding("plan.subnet", message, (*path, "subnet"), hint)
        return
    if str(subnet.network_address) != str(ip_address(pool.subnet.partition("/")[0])):
        message = f"{_WRONG}: invalid subnet {pool.subnet}: it should be {subnet}"
        yield Finding("plan.subnet", message, (*path, "subnet"), f"write {subnet}")
        return
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        message = f"{_WRONG}: subnet {subnet} is too small: it holds no gateway and container"
        yield Finding("plan.subnet", message, (*path, "subnet"), "use a shorter prefix")
        return
    yield from _within(pool, subnet, path)


def _within(pool: Pool, subnet: Subnet, path: tuple[str | int, ...]) -> Iterator[Finding]:
    inside = f"an address of {subnet}, such as {subnet.network_address + 1}"
    places = [("gateway", pool.gateway, (*path, "gateway"))]
    places += [("auxiliary address", text, (*path, "aux_addresses", name)) for name, text in pool.aux_addresses.items()]
    for what, text, place in places:
        if not text:
            continue
        try:
            address = ip_address(text.partition("/")[0])
        except ValueError:
            yield Finding("plan.gateway", f"{_WRONG}: invalid {what} {text}: invalid address", place, inside)
            continue
        if address not in subnet:
            message = f"{_WRONG}: invalid {what} {text}: parent subnet {subnet} doesn't contain it"
            yield Finding("plan.gateway", message, place, inside)
    span = _parse(pool.ip_range) if pool.ip_range else subnet
    if span is None:
        message = f"{_WRONG}: invalid ip-range {pool.ip_range}: invalid CIDR block notation"
        yield Finding("plan.ip-range", message, (*path, "ip_range"), f"a part of {subnet}")
    elif span.version != subnet.version or span.prefixlen < subnet.prefixlen or not span.overlaps(subnet):
        message = f"{_WRONG}: invalid ip-range {pool.ip_range}: parent subnet {subnet} doesn't contain ip-range"
        yield Finding("plan.ip-range", message, (*path, "ip_range"), f"a part of {subnet}")


def _parse(text: str) -> Subnet | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _overlap(scene: Scene, subnet: Subnet, taken: Sequence[Taken], path: tuple[str | int, ...]) -> Iterator[Finding]:
    for one in taken:
        if one.subnet.version != subnet.version or not one.subnet.prefixlen or not one.subnet.overlaps(subnet):
            continue
        if one.direct or one.subnet.prefixlen >= subnet.prefixlen:
            free = _elsewhere(subnet, taken)
            hint = f"choose another subnet{f', such as {free}' if free else ''}, or none to have one chosen"
            yield Finding("plan.subnet-overlap", f"{_OVERLAP}: {subnet} overlaps {one.what}", path, hint)
            return


def _elsewhere(subnet: Subnet, taken: Sequence[Taken]) -> Subnet | None:
    """The next subnet of the same size that nothing has; None when 256 were tried."""
    size, most = subnet.num_addresses, 1 << subnet.max_prefixlen
    start = int(subnet.network_address)
    for step in range(1, 257):
        value = start + step * size
        if value + size > most:
            return None
        found = ip_network((value, subnet.prefixlen))
        if not any(one.subnet.prefixlen and one.subnet.version == found.version and one.subnet.overlaps(found) for one in taken):
            return found if found.is_private == subnet.is_private else None
    return None


def _exhausted(scene: Scene) -> Iterator[Finding]:
    """Networks without a subnet, of which the default pool cannot serve all."""
    if scene.facts.rooms is None:
        return
    left = dict(scene.facts.rooms)
    for key in scene.networks:
        network = scene.stack.networks[key]
        for version, on in ((4, network.enable_ipv4 is not False), (6, bool(network.enable_ipv6))):
            named = any(pool.subnet and (":" in pool.subnet) == (version == 6) for pool in network.ipam.config)
            if not on or named or network.driver not in ("", "bridge", "default"):
                continue
            if left.get(version, 0) < 1:
                pool = scene.facts.default_pools.get(version, "")
                message = "all predefined address pools have been fully subnetted: there is no room for this network"
                hint = f"remove networks (composer network prune), give it a subnet, or start the engine with a pool larger than {pool}"
                yield Finding("plan.pool-exhausted", message, ("networks", key), hint, on_key=True)
            left[version] = left.get(version, 0) - 1


def check_addresses(scene: Scene) -> Iterator[Finding]:
    """The fixed addresses of services of which containers are made or started."""
    taken: dict[tuple[str, str], str] = {}
    for service in scene.touched:
        for key, wish in service.networks.items():
            for field in ("ipv4_address", "ipv6_address"):
                text = getattr(wish, field)
                network = scene.stack.networks.get(key)
                if not text or network is None:
                    continue
                place = ("services", service.name, "networks", key, field)
                yield from _address(scene, service.name, key, network, text, place, taken)


def _address(
    scene: Scene, service: str, key: str, network: Network, text: str, place: tuple[str | int, ...], taken: dict[tuple[str, str], str]
) -> Iterator[Finding]:
    try:
        address = ip_address(text)
    except ValueError:
        yield Finding("plan.address", f"invalid IP address: {text}", place, "such as 10.20.0.5")
        return
    subnets = _subnets(scene, key, network)
    if subnets is None:
        return
    if not any(address in subnet for subnet in subnets):
        if any(subnet.version == address.version for subnet in subnets):
            inside = ", ".join(str(subnet) for subnet in subnets if subnet.version == address.version)
            message = f"invalid endpoint settings: no configured subnet or ip-range contain the IP address {address}"
            yield Finding("plan.address", message, place, f"network '{key}' has {inside}")
        else:
            message = f"user specified IP address {address} is supported only when connecting to networks with user configured subnets"
            yield Finding("plan.address", message, place, f"give network '{key}' a subnet: ipam: {{config: [{{subnet: ...}}]}}")
        return
    holder = _holder(scene, service, key, network, str(address))
    other = taken.setdefault((key, str(address)), service)
    count = max(len(scene.created.get(service, ())), scene.started.get(service, 0))
    if holder:
        yield Finding("plan.address-taken", f"Address already in use: {address} is {holder}", place, "choose another address, or none")
    elif other != service:
        message = f"Address already in use: {address} is asked for by the services '{other}' and '{service}'"
        yield Finding("plan.address-taken", message, place, "only one of them can have it", late=True)
    elif count > 1:
        message = f"Address already in use: {count} containers of '{service}' cannot all have {address}"
        yield Finding("plan.address-taken", message, place, "scale it to 1, or leave the address out", late=True)


def _subnets(scene: Scene, key: str, network: Network) -> list[Subnet] | None:
    """What the network has, or will have by the file; None when that is not known."""
    if key in scene.networks:
        return [found for pool in network.ipam.config if pool.subnet and (found := _parse(pool.subnet)) is not None]
    there = next((one for one in scene.engaged.networks if one.name == network.name), None)
    if there is None:
        return None
    return [ip_network(pool.subnet, strict=False) for pool in there.ipam.config if pool.subnet]


def _holder(scene: Scene, service: str, key: str, network: Network, address: str) -> str:
    """Who has it already, in words."""
    gateways = [pool.gateway for pool in network.ipam.config if pool.gateway] if key in scene.networks else []
    live = scene.have.get(Ref("network", network.name))
    there = next((one for one in scene.engaged.networks if live is not None and one.id == live.id and one.id not in scene.gone), None)
    if there is not None:
        gateways += [pool.gateway for pool in there.ipam.config]
        for ident, member in there.containers.items():
            if address in (member.ipv4_address.partition("/")[0], member.ipv6_address.partition("/")[0]) and ident not in scene.leaving:
                return f"held by {container_words(scene, ident)}"
    return f"the gateway of network '{key}'" if address in gateways else ""
