"""Wiring containers: many namespaces, cables, addresses and routes with few system calls. For the one kernel thread.

One message batch on the host makes all cables of a tick; one per namespace then sets up its inside (FACTS: 20 in 17 ms).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from composer.engine.errors import EngineError
from composer.engine.local.network import links, namespace
from composer.engine.local.network.links import Address, Interface
from composer.engine.local.network.netlink import Message, NetlinkSocket
from composer.engine.local.network.nft import Nft

_LOOPBACK = 1  # index of lo in every namespace


@dataclass(frozen=True, slots=True)
class Cable:
    """A veth pair to be made: ``link`` (host end, into ``bridge``), ``interface`` (inside).

    ``hairpin``: its container reaches its own published ports, also where br_netfilter is on. ``isolated``: it reaches no neighbour.
    """

    link: str
    interface: str
    bridge: str
    mac: str
    mtu: int
    addresses: tuple[Interface, ...]
    sysctls: tuple[tuple[str, str], ...] = ()
    hairpin: bool = False
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A namespace to be made (``fresh``) or entered, and what is to be put into it. ``gateways``: (address, interface) default routes.

    ``dns``: where the engine's DNS sockets are to be opened inside, None = none. ``redirect``: on a free port, port 53 led to it.
    """

    netns: Path
    fresh: bool = True
    cables: tuple[Cable, ...] = ()
    gateways: tuple[tuple[Address, str], ...] = ()
    dns: str | None = None
    redirect: bool = False


@dataclass(slots=True)
class Wired:
    """What became of a wish: the DNS sockets, or the error (then nothing of it is left)."""

    udp: socket.socket | None = None
    tcp: socket.socket | None = None
    error: Exception | None = None
    route: NetlinkSocket | None = field(default=None, repr=False)
    messages: list[Message] = field(default_factory=list, repr=False)


def wire(host: NetlinkSocket, home: int, wishes: Sequence[Wish]) -> list[Wired]:
    """Fulfil all; an error of one leaves the others alone."""
    done = [Wired() for _ in wishes]
    for wish, wired in zip(wishes, done, strict=True):
        _guard(wish, wired, partial(_open, wish, wired, home))
    _plug_in(host, wishes, done)
    for wish, wired in zip(wishes, done, strict=True):
        if wired.error is None and wired.route is not None:
            _guard(wish, wired, partial(_set_up, wish, wired, home))
        if wired.route is not None:
            wired.route.close()
            wired.route = None
    return done


def _guard(wish: Wish, wired: Wired, step: Callable[[], None]) -> None:
    """Run a step; what it raises is kept and the wish undone."""
    try:
        step()
    except (OSError, EngineError) as error:
        _undo(wish, wired, error)


def _undo(wish: Wish, wired: Wired, error: Exception) -> None:
    wired.error = error
    for one in (wired.udp, wired.tcp, wired.route):
        if one is not None:
            one.close()
    wired.udp = wired.tcp = wired.route = None
    if wish.fresh:
        namespace.drop(wish.netns)


def _open(wish: Wish, wired: Wired, home: int) -> None:
    enter = namespace.created if wish.fresh else namespace.entered
    with enter(wish.netns, home):
        if wish.fresh or wish.cables or wish.gateways:
            wired.route = NetlinkSocket()
        if wish.fresh and wired.route is not None:
            wired.route.do([links.set_up(_LOOPBACK)])  # before the sockets: bound earlier, they would answer from 127.0.0.1
        if wish.dns is not None:
            wired.udp, wired.tcp = namespace.dns_sockets(wish.dns, 0 if wish.redirect else 53)
            if wish.redirect:
                _redirect(wish.dns, wired.udp.getsockname()[1])


def _redirect(address: str, port: int) -> None:
    """Port 53 of ``address`` leads to ``port``, so that the image's own server may have port 53 (libnetwork does the same)."""
    nft = Nft()
    try:
        rules = "".join(f"ip daddr {address} {p} dport 53 dnat ip to {address}:{port};\n" for p in ("udp", "tcp"))
        table = "table inet composer_dns"
        nft.run(f"add {table}\ndelete {table}\n{table} {{\nchain output {{\ntype nat hook output priority -100;\n{rules}}}\n}}\n")
    finally:
        nft.close()


def _plug_in(host: NetlinkSocket, wishes: Sequence[Wish], done: Sequence[Wired]) -> None:
    """Make all cables with one batch on the host."""
    bridges: dict[str, int] = {}
    messages: list[Message] = []
    owners: list[int] = []
    files: list[int] = []
    try:
        for number, (wish, wired) in enumerate(zip(wishes, done, strict=True)):
            if wired.error is not None or not wish.cables:
                continue
            files.append(os.open(wish.netns, os.O_RDONLY | os.O_CLOEXEC))
            for cable in wish.cables:
                if cable.bridge not in bridges:
                    bridges[cable.bridge] = _index(host, cable.bridge)
                messages.append(links.new_veth(cable.link, bridges[cable.bridge], cable.interface, files[-1], cable.mac, cable.mtu))
                owners.append(number)
                if cable.hairpin or cable.isolated:
                    messages.append(links.bridge_port(cable.link, hairpin=cable.hairpin, isolated=cable.isolated))
                    owners.append(number)
        for owner, error in zip(owners, host.exchange(messages), strict=True):
            if error is not None and done[owner].error is None:
                _undo(wishes[owner], done[owner], error)
    finally:
        for file in files:
            os.close(file)


def _index(route: NetlinkSocket, name: str) -> int:
    """The index of a link; 0 when it is not there (the kernel then refuses the cable, by name)."""
    found = links.link(route, name)
    return found.index if found else 0


def _set_up(wish: Wish, wired: Wired, home: int) -> None:
    route = wired.route
    assert route is not None
    messages: list[Message] = []
    indexes: dict[str, int] = {}
    for cable in wish.cables:
        index = indexes[cable.interface] = _index(route, cable.interface)
        messages.append(links.set_up(index, link_local=any(a.version == 6 for a in cable.addresses)))
        messages += [links.new_address(index, address) for address in cable.addresses]
    messages += [links.default_route(gateway, indexes.get(name) or _index(route, name)) for gateway, name in wish.gateways]
    route.do(messages)
    if any(cable.sysctls for cable in wish.cables):
        with namespace.entered(wish.netns, home):
            for cable in wish.cables:
                for name, value in cable.sysctls:
                    Path("/proc/sys", name).write_text(value)
