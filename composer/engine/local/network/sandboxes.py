"""Sandboxes: a container's network opened, changed while it runs, released; and taken up again after the daemon restarted.

The order of `open`: leases and ports (in memory), the row, the kernel's objects (all named after the row), the firewall, the names.
Whatever fails or is cancelled is undone by `release`, which may be called at any time, twice too.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotRunning
from composer.engine.local.layout import PREFIX, Layout
from composer.engine.local.network import endpoints, links, namespace, options, ports
from composer.engine.local.network.bridges import Bridges
from composer.engine.local.network.dns import Resolver, View
from composer.engine.local.network.firewall import Firewall
from composer.engine.local.network.hosts import DNS_ADDRESS
from composer.engine.local.network.inside import Inside
from composer.engine.local.network.ipam import Address, Pool
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.model import EndpointRow, PublishedPort, Sandbox, SandboxRequest, SandboxRow
from composer.engine.local.network.naming import Find, Naming
from composer.engine.local.network.ports import HostPorts
from composer.engine.local.network.traffic import Traffic
from composer.engine.local.network.wiring import Cable, Wired, Wish
from composer.engine.local.state import State, Table
from composer.engine.model import EndpointSettings, Network

_log = logging.getLogger("composer.network")


@dataclass
class Live:
    """A sandbox in memory. ``view``: what its resolver sees."""

    row: SandboxRow
    view: View
    resolver: Resolver | None = None


class Sandboxes:
    """All sandboxes of the engine, by container id."""

    def __init__(
        self, layout: Layout, state: State, kernel: Kernel, bridges: Bridges, find: Find, default: Callable[[Network], bool]
    ) -> None:
        self._layout = layout
        self._rows = Table(state, "sandbox", encode=SandboxRow.to_wire, decode=SandboxRow.from_wire)
        self._kernel = kernel
        self._bridges = bridges
        self._find = find
        self._live: dict[str, Live] = {}
        self._members: dict[str, dict[str, EndpointRow]] = {}  # network id -> container -> endpoint
        self._cables: dict[str, tuple[str, str]] = {}  # host end -> (network id, container), of those that were made
        self._ports: HostPorts | None = None
        self.traffic = Traffic(state)
        self.naming = Naming(find, default, self.members, self.traffic.is_aside)
        self.firewall: Firewall

    @property
    def host_ports(self) -> HostPorts:
        if self._ports is None:
            self._ports = HostPorts(lambda container: container in self.traffic.now)
        return self._ports

    def members(self, network_id: str) -> Mapping[str, tuple[SandboxRow, EndpointRow]]:
        """Who is in a network now, by container id."""
        return {c: (self._live[c].row, row) for c, row in self._members.get(network_id, {}).items() if c in self._live}

    def rows(self) -> list[SandboxRow]:
        return [live.row for live in self._live.values()]

    def row(self, container_id: str) -> SandboxRow | None:
        live = self._live.get(container_id)
        return live.row if live else None

    def forget(self, network_id: str) -> None:
        """The network is gone, with its names."""
        self.naming.forget(network_id)
        self._members.pop(network_id, None)

    # --- open ---------------------------------------------------------------------------------------------------------

    async def open(self, request: SandboxRequest) -> Sandbox:
        """Make it. Conflict, InvalidArgument, NotFound, EngineError (a port is taken)."""
        if request.container_id in self._live or request.container_id in self._rows:
            await self.release(request.container_id)
        row = self._plan(request)
        self._adopt(row)
        try:
            await self._rows.put(row.container, row, durable=False)
            made = [await self._bridges.ensure(self._find(endpoint.network)) for endpoint in row.endpoints]
            wired = await self._kernel.wire(self._wish(row))
            self._serve(row, wired)
            if row.published or any(made):
                await self.firewall.apply()
        except BaseException:
            await asyncio.shield(self.release(row.container))
            raise
        self.naming.announce(row)
        return self._sandbox(row)

    def _plan(self, request: SandboxRequest) -> SandboxRow:
        """Leases, names, interfaces, ports: all that is decided. Nothing is held when it raises."""
        pairs = [] if request.mode == "none" else [(self._find(ref), settings) for ref, settings in request.endpoints.items()]
        made: list[EndpointRow] = []
        try:
            for network, settings in endpoints.in_order(pairs):
                made.append(self._endpoint(request, network, settings, made))
            published = self._publish(request, made)
        except BaseException:
            self._release_leases(made)
            raise
        return SandboxRow(
            container=request.container_id,
            name=request.name,
            hostname=request.hostname,
            domainname=request.domainname,
            mode=request.mode,
            endpoints=tuple(made),
            exposed=tuple(request.exposed_ports),
            published=published,
            dns=tuple(request.dns),
            dns_search=tuple(request.dns_search),
            dns_options=tuple(request.dns_options),
            extra_hosts=tuple(request.extra_hosts),
            links=tuple(request.links),
            dns_redirect=any(port.partition("/")[0] == "53" for port in request.exposed_ports),
        )

    def _endpoint(
        self, request: SandboxRequest, network: Network, settings: EndpointSettings, before: Collection[EndpointRow]
    ) -> EndpointRow:
        if network.driver != "bridge":
            raise InvalidArgument(f"container cannot be connected to the network {network.name}", hint=f"use network_mode: {network.name}")
        pools = self._bridges.pools(network.id)
        endpoints.check(network, settings, pools)
        interface = endpoints.free_interface(options.interface_name(settings.driver_opts), (row.interface for row in before))
        held = endpoints.lease(pools, settings)
        return EndpointRow(
            network=network.id,
            link=f"{PREFIX}v{self._layout.instance}{secrets.token_hex(4)[:7]}",
            interface=interface,
            mtu=self._bridges.mtu(network),
            settings=endpoints.settle(request, network, settings, held),
        )

    def _publish(self, request: SandboxRequest, made: Collection[EndpointRow]) -> tuple[PublishedPort, ...]:
        wanted = ports.wishes(request.port_bindings, request.exposed_ports, publish_all=request.publish_all)
        target = endpoints.target(made)
        if not wanted or target is None:
            return ()
        label = f"{request.name} ({target.settings.endpoint_id})"
        default_ip = options.host_ip(self._find(target.network).options)
        wanted = [w if w.host_ip or not default_ip else ports.with_host_ip(w, default_ip) for w in wanted]
        address = target.settings.ip_address or target.settings.global_ipv6_address
        group = self.traffic.group(request.container_id)
        return self.host_ports.claim(request.container_id, label, wanted, address, group=group)

    def _adopt(self, row: SandboxRow) -> None:
        """It counts from now on: in the firewall's facts and among the members."""
        self._live[row.container] = Live(row, self.naming.view(row))
        for endpoint in row.endpoints:
            self._members.setdefault(endpoint.network, {})[row.container] = endpoint

    def _wish(self, row: SandboxRow) -> Wish:
        return Wish(
            netns=self._layout.netns(row.container),
            cables=tuple(self._cable(row, e) for e in row.endpoints),
            gateways=endpoints.gateways(row.endpoints),
            dns=DNS_ADDRESS if self.naming.is_served(row) else None,
            redirect=row.dns_redirect,
        )

    def _cable(self, row: SandboxRow, endpoint: EndpointRow) -> Cable:
        rule = self._bridges.rule(self._find(endpoint.network))
        return endpoints.cable(endpoint, rule.bridge, published=bool(row.published), isolated=not rule.talk)

    def _serve(self, row: SandboxRow, wired: Wired) -> None:
        live = self._live[row.container]
        self._wired(row)
        if wired.udp is not None and wired.tcp is not None:
            live.resolver = Resolver(wired.udp, wired.tcp, lambda: live.view, self.naming.upstream)

    def _wired(self, row: SandboxRow) -> None:
        self._cables.update((endpoint.link, (endpoint.network, row.container)) for endpoint in row.endpoints)

    def _sandbox(self, row: SandboxRow) -> Sandbox:
        return Sandbox(
            netns=self._layout.netns(row.container),
            networks={self._find(e.network).name: e.settings for e in row.endpoints},
            ports=ports.shown(row.published, row.exposed),
            hosts=self.naming.hosts(row),
            resolv_conf=self.naming.resolv_conf(row),
        )

    # --- release ------------------------------------------------------------------------------------------------------

    async def release(self, container_id: str) -> None:
        """Take all of it back. Missing is fine."""
        live = self._live.pop(container_id, None)
        row = live.row if live else self._rows.get(container_id)
        if row is None:
            return
        if live and live.resolver:
            live.resolver.close()
        for endpoint in row.endpoints:
            self._cables.pop(endpoint.link, None)
            self._members.get(endpoint.network, {}).pop(container_id, None)
            self.naming.withdraw(container_id, endpoint.network)
        self.host_ports.release(container_id)
        self._release_leases(row.endpoints)
        await self._kernel.drop([self._layout.netns(container_id)])
        if row.published:
            await self.firewall.apply()
            await self.forget_flows(row)
        if container_id not in self._live:  # not opened again meanwhile
            await self._rows.delete(container_id, durable=False)

    async def forget_flows(self, row: SandboxRow) -> None:
        """Its UDP clients are led anew with their next datagram."""
        own = [a for e in row.endpoints for a in (e.settings.ip_address, e.settings.global_ipv6_address) if a]
        if any(one.protocol == "udp" for one in row.published):
            try:
                await self._kernel.forget_udp(own)
            except EngineError as error:  # a kernel without ctnetlink: the flows end by themselves in some minutes
                _log.info("tracked UDP flows of %s stay: %s", row.name, error.message)

    def _release_leases(self, rows: Iterable[EndpointRow]) -> None:
        for row in rows:
            for pool, address in self._held(row):
                pool.release(address)

    def _held(self, row: EndpointRow) -> list[tuple[Pool, Address]]:
        texts = [t for t in (row.settings.ip_address, row.settings.global_ipv6_address) if t]
        return [(p, a) for p in self._bridges.pools(row.network) for a in map(ip_address, texts) if a in p]

    # --- while it runs ------------------------------------------------------------------------------------------------

    def _running(self, container_id: str) -> Live:
        live = self._live.get(container_id)
        if live is None:
            raise NotRunning(f"container {container_id[:12]} has no network now: it is not running")
        return live

    async def plug(self, container_id: str, network: Network, settings: EndpointSettings) -> EndpointSettings:
        """Put a running container into one more network. Conflict when it is there already."""
        live = self._running(container_id)
        row = live.row
        if row.mode == "none":
            raise InvalidArgument("container cannot be connected to multiple networks with one of the networks in private (none) mode")
        if any(e.network == network.id for e in row.endpoints):
            raise Conflict(f"endpoint with name {row.name} already exists in network {network.name}")
        request = SandboxRequest(row.container, row.name, row.hostname)
        endpoint = self._endpoint(request, network, settings, row.endpoints)
        changed = row.replace(endpoints=self._in_order((*row.endpoints, endpoint)))
        await self._change(live, changed)
        try:
            await self._bridges.ensure(network)
            cable = self._cable(changed, endpoint)
            where = endpoints.gateways(changed.endpoints)
            await self._kernel.wire(Wish(self._layout.netns(container_id), fresh=False, cables=(cable,), gateways=where))
            self._wired(changed)
            await self.firewall.apply()
        except BaseException:
            await asyncio.shield(self.unplug(container_id, network))
            raise
        self.naming.announce(changed)
        return endpoint.settings

    async def unplug(self, container_id: str, network: Network) -> None:
        """Take a running container out of a network. Not in there: fine."""
        live = self._running(container_id)
        gone = [e for e in live.row.endpoints if e.network == network.id]
        if not gone:
            return
        self.naming.withdraw(container_id, network.id)
        for endpoint in gone:
            self._cables.pop(endpoint.link, None)
        await self._kernel.send([links.delete_link(e.link) for e in gone])
        changed = live.row.replace(endpoints=tuple(e for e in live.row.endpoints if e.network != network.id))
        where = endpoints.gateways(changed.endpoints)
        if where:
            await self._kernel.wire(Wish(self._layout.netns(container_id), fresh=False, gateways=where))
        self._release_leases(gone)
        await self._change(live, changed)
        await self.firewall.apply()

    async def rename(self, container_id: str, name: str) -> dict[str, EndpointSettings]:
        """It answers to another name of its own, its aliases stay. The endpoints' settings by network name; none: it has no network."""
        live = self._live.get(container_id)
        if live is None:
            return {}
        moved = tuple(endpoints.renamed(one, live.row.name, name) for one in live.row.endpoints)
        row = live.row.replace(name=name, endpoints=moved)
        await self._change(live, row)
        self.naming.announce(row)
        return {self._find(one.network).name: one.settings for one in moved}

    async def _change(self, live: Live, row: SandboxRow) -> None:
        live.row = row
        live.view = self.naming.view(row)
        for members in self._members.values():
            members.pop(row.container, None)
        for endpoint in row.endpoints:
            self._members.setdefault(endpoint.network, {})[row.container] = endpoint
        await self._rows.put(row.container, row, durable=False)

    def _in_order(self, rows: Iterable[EndpointRow]) -> tuple[EndpointRow, ...]:
        return tuple(sorted(rows, key=lambda row: (-row.settings.gw_priority, self._find(row.network).name)))

    # --- drift --------------------------------------------------------------------------------------------------------

    def cables(self) -> dict[str, tuple[str, str]]:
        """host end -> (network id, container id) of all cables that were made."""
        return dict(self._cables)

    def has_cable(self, link: str) -> bool:
        return link in self._cables

    def owned_links(self, containers: Collection[str]) -> set[str]:
        """The host ends that the rows of these containers own."""
        return {endpoint.link for container, row in self._rows.items() if container in containers for endpoint in row.endpoints}

    async def rewire(self, container_id: str, link: str) -> str:
        """Make a cable again that somebody removed; the interface it leads to."""
        row = self._running(container_id).row
        endpoint = next(e for e in row.endpoints if e.link == link)
        where = [(address, name) for address, name in endpoints.gateways(row.endpoints) if name == endpoint.interface]
        wish = Wish(self._layout.netns(container_id), fresh=False, cables=(self._cable(row, endpoint),), gateways=tuple(where))
        await self._kernel.wire(wish)
        return f"{endpoint.interface} of {row.name}"

    async def mend_insides(self, pids: Mapping[str, int], left_alone: Collection[str]) -> list[tuple[str, str]]:
        """What differs inside the namespaces of these containers is put right; (container, what) of each thing."""
        mended = []
        for container, pid in pids.items():
            live = self._live.get(container)
            if live is None:
                continue
            path, row = self._layout.netns(container), live.row
            try:
                if not namespace.is_pinned(path):
                    await self._kernel.repin(path, pid)
                    mended.append((container, f"the network namespace of {row.name} had lost its pin"))
                if container not in left_alone:
                    wish = Inside(tuple(self._cable(row, e) for e in row.endpoints), endpoints.gateways(row.endpoints))
                    mended += [(container, f"{what} of {row.name}") for what in await self._kernel.mend_inside(path, wish)]
            except EngineError as error:
                _log.error("the network of %s is not as it should be, and cannot be put right now: %s", row.name, error.message)
        return mended

    # --- the daemon restarted -----------------------------------------------------------------------------------------

    async def restore(self, live: Collection[str]) -> list[str]:
        """Take up the sandboxes of running containers, release all others. What could not be taken up whole is told."""
        taken_up = []
        for container, row in self._rows.items():
            path = self._layout.netns(container)
            if container in live and namespace.is_pinned(path):
                taken_up.append(self._restore(row))
            else:
                await self.release(container)
        found = await asyncio.gather(*taken_up)  # in order up to the first wait; the kernel thread then does them in one batch
        return [problem for problems in found for problem in problems]

    async def _restore(self, row: SandboxRow) -> list[str]:
        for endpoint in row.endpoints:
            for pool, held in self._held(endpoint):
                pool.lease(held)
        self._adopt(row)
        problems = []
        target = endpoints.target(row.endpoints)
        if target is not None:
            address = target.settings.ip_address or target.settings.global_ipv6_address
            group = self.traffic.group(row.container)
            problems = self.host_ports.restore(row.container, row.published, address, group=group)
        if self.naming.is_served(row):
            try:
                wish = Wish(self._layout.netns(row.container), fresh=False, dns=DNS_ADDRESS, redirect=row.dns_redirect)
                self._serve(row, await self._kernel.wire(wish))
            except EngineError as error:
                self._wired(row)
                problems.append(f"no name server for {row.name}: {error.message}")
        else:
            self._wired(row)
        self.naming.announce(row)
        return problems

    async def close(self) -> None:
        """Stop serving; the containers keep their networks."""
        for live in self._live.values():
            if live.resolver:
                live.resolver.close()
        self.host_ports.close()
