"""The bridges of the networks, their address pools, and the kernel settings they need.

A network's row holds its ipam config with subnet and gateway filled in; the pools in memory hold who leases what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import ip_interface, ip_network
from pathlib import Path

from composer.engine.errors import Conflict, InvalidArgument
from composer.engine.local.layout import PREFIX, Layout
from composer.engine.local.network import ipam, links
from composer.engine.local.network.ipam import Pool, Subnet
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.links import Interface, Link, Route
from composer.engine.local.network.options import bridge_name, mtu_option
from composer.engine.local.network.ruleset import BridgeRule
from composer.engine.model import IPAMPool, Network, NetworkConfig

_OVERLAP = "invalid pool request: Pool overlaps with other one on this address space"


class Bridges:
    """Bridges by network id. ``notes``: kernel settings that were changed, for the log and `doctor`."""

    def __init__(self, layout: Layout, kernel: Kernel) -> None:
        self._layout = layout
        self._kernel = kernel
        self._pools: dict[str, list[Pool]] = {}
        self._made: dict[str, int] = {}  # network id -> index of its bridge
        self._making: dict[str, asyncio.Lock] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._default_mtu = 1500
        self.notes: list[str] = []

    def know(self, network: Network) -> None:
        """Keep pools for a network. InvalidArgument when its ipam config is wrong."""
        self._pools[network.id] = [ipam.make_pool(config) for config in network.ipam.config]

    def pools(self, network_id: str) -> Sequence[Pool]:
        return self._pools.get(network_id, ())

    def name(self, network: Network) -> str:
        return bridge_name(network.options) or self._layout.bridge(network.id)

    def mtu(self, network: Network) -> int:
        return mtu_option(network.options) or self._default_mtu

    @property
    def alias(self) -> str:
        """What every bridge of this engine carries, also one whose name the user chose."""
        return f"composer {self._layout.instance}"

    def is_own(self, link: Link) -> bool:
        """Whether it is a bridge or a cable of this engine."""
        prefixes = (f"{PREFIX}{self._layout.instance}", f"{PREFIX}v{self._layout.instance}")
        return link.name.startswith(prefixes) or link.alias == self.alias

    async def fill(self, config: NetworkConfig, existing: Iterable[Network]) -> NetworkConfig:
        """The config with every subnet and gateway chosen. InvalidArgument, Conflict (overlap, the pool is full)."""
        routes, known, addresses = await self._kernel.routes()
        self._learn_mtu(routes, known)
        own = {link.index for link in known.values() if self.is_own(link)}
        others = [r for r in routes if r.subnet.prefixlen and r.link not in own]
        networks = [ip_network(pool.subnet) for network in existing for pool in network.ipam.config]
        here = [address.network for index, address in addresses if index not in own and not address.is_loopback]
        filled = []
        for version, pool in _wanted_pools(config):
            if pool.subnet:
                subnet = ipam.parse_subnet(pool.subnet)
                _refuse_overlap(subnet, networks, others)
            else:
                span = ip_network(self._layout.pool if version == 4 else self._layout.pool6)
                subnet = ipam.choose_subnet(span, [*networks, *(r.subnet for r in others), *here])
            networks.append(subnet)
            made = ipam.make_pool(pool.replace(subnet=str(subnet)))
            filled.append(pool.replace(subnet=str(subnet), gateway=str(made.gateway)))
        return config.replace(ipam=config.ipam.replace(config=tuple(filled)))

    def _learn_mtu(self, routes: Sequence[Route], known: dict[str, Link]) -> None:
        by_index = {link.index: link for link in known.values()}
        for route in routes:
            if route.subnet.prefixlen == 0 and route.subnet.version == 4 and route.link in by_index:
                self._default_mtu = by_index[route.link].mtu or 1500

    async def learn(self) -> None:
        """Look at the host's default route: its MTU is the bridges' (FACTS 3: an outside of 1400 breaks containers of 1500)."""
        routes, known, _ = await self._kernel.routes()
        self._learn_mtu(routes, known)

    async def ensure(self, network: Network) -> bool:
        """The bridge exists, is up, has its addresses; whether it had to be made."""
        if network.id in self._made:
            return False
        lock = self._making.setdefault(network.id, asyncio.Lock())
        async with lock:
            if network.id in self._made:
                return True  # by another call, whose firewall swap may still be under way
            await self._wait_for_leaving(network)
            self._made[network.id] = await self._make(network)
        self._making.pop(network.id, None)
        return True

    async def _wait_for_leaving(self, network: Network) -> None:
        """A removed bridge with the same addresses must be gone first."""
        if self._leaving and network.ipam.config:
            await asyncio.gather(*self._leaving.values())

    async def _make(self, network: Network) -> int:
        name = self.name(network)
        gateways = self.gateways(network)
        mac = "02:42:" + ":".join(f"{b:02x}" for b in bytes.fromhex(network.id[:8]))
        mtu = self.mtu(network)

        def work() -> int:
            route = self._kernel.route
            route.do([links.new_bridge(name, mac, mtu, self.alias)])
            found = links.link(route, name)
            index = found.index if found else 0
            route.do([links.set_up(index), *(links.new_address(index, gateway) for gateway in gateways)])
            self._settings(name, [g.version for g in gateways])
            return index

        return await self._kernel.run(work)

    def gateways(self, network: Network) -> list[Interface]:
        """The bridge's own addresses."""
        return [ip_interface(f"{pool.gateway}/{pool.subnet.prefixlen}") for pool in self.pools(network.id)]

    async def mend_settings(self, networks: Sequence[Network]) -> list[str]:
        """Set again what somebody turned off; what that was."""
        wanted = [(self.name(network), [g.version for g in self.gateways(network)]) for network in networks]
        before = len(self.notes)

        def work() -> None:
            for bridge, versions in wanted:
                self._settings(bridge, versions)

        await self._kernel.run(work)
        return self.notes[before:]

    def _settings(self, bridge: str, versions: Sequence[int]) -> None:
        if 4 in versions:
            self._set("net/ipv4/ip_forward", "1")
            self._set(f"net/ipv4/conf/{bridge}/route_localnet", "1", note=False)
        if 6 in versions:
            self._keep_router_advertisements()
            self._set("net/ipv6/conf/all/forwarding", "1")

    def _keep_router_advertisements(self) -> None:
        """A host that forwards ignores router advertisements unless accept_ra is 2 (ip-sysctl): then it would lose its own IPv6 route."""
        if Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text().strip() == "1":
            return
        for path in Path("/proc/sys/net/ipv6/conf").glob("*/accept_ra"):
            if (
                path.parent.name not in ("all", "default", "lo")
                and not path.parent.name.startswith(PREFIX)
                and path.read_text().strip() == "1"
            ):
                path.write_text("2")
                self.notes.append(f"net.ipv6.conf.{path.parent.name}.accept_ra = 2")

    def _set(self, name: str, value: str, *, note: bool = True) -> None:
        path = Path("/proc/sys", name)
        if path.read_text().strip() != value:
            path.write_text(value)
            if note:
                self.notes.append(f"{name.replace('/', '.')} = {value}")

    def forget(self, network: Network) -> None:
        """Take the bridge down, off the reply's path: the kernel needs 30-65 ms for one (FACTS 2). `settle` waits for it."""
        self._pools.pop(network.id, None)
        made = network.id in self._made
        self._made.pop(network.id, None)
        if not made:
            return
        task = asyncio.get_running_loop().create_task(self._kernel.send([links.delete_link(self.name(network))]))
        self._leaving[network.id] = task
        task.add_done_callback(lambda _: self._leaving.pop(network.id, None))

    async def settle(self) -> None:
        """Wait until all bridges that were forgotten are gone."""
        await asyncio.gather(*self._leaving.values())

    def lost(self, network_id: str) -> None:
        """The bridge is not as it should be: the next `ensure` makes it again."""
        self._made.pop(network_id, None)

    def is_made(self, network_id: str) -> bool:
        return network_id in self._made

    def has_index(self, index: int) -> bool:
        """Whether the link of that index is one of our bridges."""
        return index in self._made.values()

    def rule(self, network: Network) -> BridgeRule:
        """What the firewall has to know."""
        options = network.options
        return BridgeRule(
            bridge=self.name(network),
            subnets=tuple(pool.subnet for pool in network.ipam.config),
            internal=network.internal,
            masquerade=options.get("com.docker.network.bridge.enable_ip_masquerade", "true").lower() != "false",
            talk=options.get("com.docker.network.bridge.enable_icc", "true").lower() != "false",
        )


def _wanted_pools(config: NetworkConfig) -> list[tuple[int, IPAMPool]]:
    """(IP version, pool): those that are named, and an empty one to be chosen for each enabled version without."""
    named = [(ipam.parse_subnet(pool.subnet).version, pool) for pool in config.ipam.config if pool.subnet]
    enabled = [version for version, on in ((4, config.enable_ipv4), (6, config.enable_ipv6)) if on]
    for version, _ in named:
        if version not in enabled:
            raise InvalidArgument(f"invalid network config: a subnet of IPv{version} is given and IPv{version} is not enabled")
    return named + [(version, IPAMPool()) for version in enabled if version not in dict(named)]


def _refuse_overlap(subnet: Subnet, networks: Sequence[Subnet], routes: Sequence[Route]) -> None:
    """With a network of ours; with what the host reaches directly; or hiding a narrower route of the host."""
    same = [other for other in networks if other.version == subnet.version and other.overlaps(subnet)]
    hidden = [
        r.subnet
        for r in routes
        if r.subnet.version == subnet.version and r.subnet.overlaps(subnet) and (not r.gateway or r.subnet.prefixlen >= subnet.prefixlen)
    ]
    if same or hidden:
        raise Conflict(_OVERLAP, hint=f"{subnet} overlaps {(same or hidden)[0]}; choose another subnet, or none to have one chosen")
