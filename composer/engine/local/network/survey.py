"""What the host's network says to a plan: who has which ports, its addresses and routes, and what room the default pools have."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from composer.engine.errors import Conflict, InvalidArgument
from composer.engine.local.layout import Layout
from composer.engine.local.network import ipam, listeners
from composer.engine.local.network.ipam import Subnet
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.links import Link
from composer.engine.local.network.model import SandboxRow
from composer.engine.model import Network
from composer.engine.model.facts import Facts, HostRoute, Inquiry

_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


async def survey(
    about: Inquiry,
    layout: Layout,
    kernel: Kernel,
    networks: Sequence[Network],
    rows: Iterable[SandboxRow],
    own: Callable[[Link], bool],
    known: Callable[[str], bool],
) -> Facts:
    """The part of the facts that concerns the network. ``own``: is this link the engine's? ``known``: is this the id of a container?"""
    claims = {(one.protocol, one.host_ip, one.host_port): row.container for row in rows for one in row.published}
    ports, ground = await asyncio.gather(_ports(about, claims, known), _ground(about, layout, kernel, networks, own))
    return replace(ground, holders=ports.holders, busy=ports.busy, lowest_port=ports.lowest_port)


async def _ports(about: Inquiry, claims: listeners.Claims, known: Callable[[str], bool]) -> Facts:
    if not about.ports:
        return Facts(holders=())
    held, busy = await asyncio.to_thread(listeners.holders, about.ports, claims, known)
    return Facts(holders=held, busy=busy, lowest_port=0 if os.geteuid() == 0 else int(_UNPRIVILEGED.read_text()))


async def _ground(about: Inquiry, layout: Layout, kernel: Kernel, networks: Sequence[Network], own: Callable[[Link], bool]) -> Facts:
    """What networks are made on, and ports published on."""
    if not (about.hosts or about.pools or about.subnets):
        return Facts()
    routes, links, addresses = await kernel.routes()
    ours = {link.index for link in links.values() if own(link)}
    names = {link.index: link.name for link in links.values()}
    found = [HostRoute(str(r.subnet), names.get(r.link, "?"), not r.gateway) for r in routes if r.link not in ours and r.subnet.prefixlen]
    nets = [ip_network(address.network) for index, address in addresses if index not in ours and not address.is_loopback]
    taken = [*(ip_network(one.subnet) for one in found), *nets]
    taken += [ip_network(pool.subnet) for one in networks if one.id not in about.leaving for pool in one.ipam.config]
    return Facts(
        addresses=frozenset(str(address.ip) for _, address in addresses),
        routes=tuple(dict.fromkeys(found)),
        default_pools={4: layout.pool, 6: layout.pool6},
        rooms={version: _rooms(about, version, pool, taken) for version, pool in ((4, layout.pool), (6, layout.pool6))},
    )


def _rooms(about: Inquiry, version: int, pool: str, taken: Sequence[Subnet]) -> int:
    """How many of the wanted subnets the pool still gives, those that are named out of the way first."""
    wanted = [*taken]
    for text in about.subnets:
        try:
            wanted.append(ipam.parse_subnet(text))
        except InvalidArgument:
            continue  # told by the rule about subnets
    for given in range(about.pools.count(version)):
        try:
            wanted.append(ipam.choose_subnet(ip_network(pool), wanted))
        except Conflict:
            return given
    return about.pools.count(version)
