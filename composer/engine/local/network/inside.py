"""The inside of a container's namespace: interfaces up, their addresses, the default routes. Compared, put right; for the kernel thread.

A container that may change its own network (NET_ADMIN) is its own master and is not compared; in any other only the host can have done it.
An interface that is gone took its cable with it, which is another's matter (`Sandboxes.rewire`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from composer.engine.local.network import links, namespace
from composer.engine.local.network.links import Address
from composer.engine.local.network.netlink import Message, NetlinkSocket
from composer.engine.local.network.wiring import Cable

_LOOPBACK = "lo"


@dataclass(frozen=True, slots=True)
class Inside:
    """``gateways``: (address, interface) of the default routes."""

    cables: tuple[Cable, ...]
    gateways: tuple[tuple[Address, str], ...]


def mend_inside(path: Path, home: int, wish: Inside) -> list[str]:
    """What was wrong in the namespace that is pinned at ``path``, and is right now. ``home``: fd of the namespace to return to."""
    with namespace.entered(path, home):
        route = NetlinkSocket()
    with route:
        wrong = _interfaces(route, wish)
        route.do([message for _, message in wrong])
        lost = _routes(route, wish)
        route.do([message for _, message in lost])
    return [what for what, _ in (*wrong, *lost)]


def _interfaces(route: NetlinkSocket, wish: Inside) -> list[tuple[str, Message]]:
    found = links.links(route)
    have = set(links.addresses(route))
    wrong = []
    loopback = found.get(_LOOPBACK)
    if loopback is not None and not loopback.up:
        wrong.append(("interface lo (was down)", links.set_up(loopback.index)))
    for cable in wish.cables:
        link = found.get(cable.interface)
        if link is None:
            continue
        if not link.up:
            local = any(address.version == 6 for address in cable.addresses)
            wrong.append((f"interface {cable.interface} (was down)", links.set_up(link.index, link_local=local)))
        for address in cable.addresses:
            if (link.index, address) not in have:
                wrong.append((f"address {address} of {cable.interface}", links.new_address(link.index, address)))
    return wrong


def _routes(route: NetlinkSocket, wish: Inside) -> list[tuple[str, Message]]:
    found = links.links(route)
    have = {one.subnet.version for one in links.routes(route) if one.gateway and one.subnet.prefixlen == 0}
    return [
        (f"default route by {gateway}", links.default_route(gateway, found[interface].index))
        for gateway, interface in wish.gateways
        if gateway.version not in have and interface in found
    ]
