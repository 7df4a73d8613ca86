"""What a container is told about names: its /etc/hosts, its /etc/resolv.conf, and what the name server sees for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from composer.engine.local.network import endpoints, hosts, upstream
from composer.engine.local.network.dns import View
from composer.engine.local.network.hosts import DNS_ADDRESS
from composer.engine.local.network.model import EndpointRow, SandboxRow
from composer.engine.local.network.upstream import Upstream
from composer.engine.local.network.zone import Zone
from composer.engine.model import Network

Find = Callable[[str], Network]  # by name or id; NotFound
Members = Mapping[str, tuple[SandboxRow, EndpointRow]]  # by container id


class Naming:
    """The zones of all networks, and the rendering. ``is_default``: the network `bridge`, which has no names, as in Docker.

    ``is_aside``: whether a container answers to its own names only (see `traffic`).
    """

    def __init__(
        self, find: Find, is_default: Callable[[Network], bool], members: Callable[[str], Members], is_aside: Callable[[str], bool]
    ) -> None:
        self._find = find
        self._is_aside = is_aside
        self._is_default = is_default
        self._members = members
        self._zones: dict[str, Zone] = {}
        self.upstream = Upstream()

    def announce(self, row: SandboxRow) -> None:
        """It answers to its names from now on."""
        for endpoint in row.endpoints:
            network = self._find(endpoint.network)
            if not self._is_default(network):
                self._zone(network).add(endpoints.member(endpoint, row.container, alone=self._is_aside(row.container)))

    def withdraw(self, container: str, network_id: str) -> None:
        """It answers no more. Missing is fine."""
        if network_id in self._zones:
            self._zones[network_id].remove(container)

    def forget(self, network_id: str) -> None:
        """The network is gone, with its names."""
        self._zones.pop(network_id, None)

    def _zone(self, network: Network) -> Zone:
        return self._zones.setdefault(network.id, Zone(network.name))

    def view(self, row: SandboxRow) -> View:
        """What the name server sees for it."""
        found = [self._find(endpoint.network) for endpoint in row.endpoints]
        zones = [self._zone(network) for network in found if not self._is_default(network)]
        aliases = [link for endpoint in row.endpoints for link in endpoint.settings.links]
        known = dict(hosts.parse_link(link) for link in (*row.links, *aliases))
        return View(zones, known, row.dns, any(not network.internal for network in found))

    def is_served(self, row: SandboxRow) -> bool:
        """Whether it asks our name server."""
        return DNS_ADDRESS in self._servers(row)

    def _servers(self, row: SandboxRow) -> tuple[str, ...]:
        """The nameserver lines: ours where a user made the network; in the default one those named, or the host's."""
        conf = self.upstream.host()
        if row.mode == "none" or not row.endpoints:
            return row.dns or conf.servers
        if not all(self._is_default(self._find(endpoint.network)) for endpoint in row.endpoints):
            return (DNS_ADDRESS,)
        ipv6 = any(endpoint.settings.global_ipv6_address for endpoint in row.endpoints)
        return row.dns or upstream.outside_servers(conf, ipv6=ipv6) or (DNS_ADDRESS,)

    def resolv_conf(self, row: SandboxRow) -> str:
        return hosts.render_resolv_conf(self.upstream.host(), servers=self._servers(row), search=row.dns_search, options=row.dns_options)

    def hosts(self, row: SandboxRow) -> str:
        """InvalidArgument: an extra host that is none."""
        gateway = next((g for e in row.endpoints if (g := e.settings.gateway or e.settings.ipv6_gateway)), "")
        own = [a for e in row.endpoints for a in (e.settings.ip_address, e.settings.global_ipv6_address) if a]
        extra = hosts.parse_extra(row.extra_hosts, gateway) + self._default_links(row)
        return hosts.render_hosts(own, row.hostname, row.domainname, extra)

    def _default_links(self, row: SandboxRow) -> list[tuple[str, str]]:
        """In the default network links are lines of /etc/hosts, as Docker has it."""
        found = []
        for alias, name in dict(hosts.parse_link(link) for link in row.links).items():
            for endpoint in row.endpoints:
                if self._is_default(self._find(endpoint.network)):
                    others = self._members(endpoint.network).values()
                    found += [(alias, e.settings.ip_address) for other, e in others if other.name.lower() == name]
        return found
