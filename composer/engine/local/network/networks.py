"""The engine's networks: `interface.Networks`, and what the engine calls for its containers: `open`, `release`, `plug`, `unplug`."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from composer.engine.errors import Conflict, EngineError, InvalidArgument, Unsupported
from composer.engine.filters import networks as filtering
from composer.engine.filters.words import PREDEFINED, Filters, before, check, labels_match
from composer.engine.local.events import event
from composer.engine.local.layout import Layout
from composer.engine.local.network import doctor, endpoints, hosts, namespace, options, ports
from composer.engine.local.network.bridges import Bridges
from composer.engine.local.network.doctor import Finding
from composer.engine.local.network.firewall import Facts, Firewall
from composer.engine.local.network.healing import Healing, Mended
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.model import EndpointRow, Sandbox, SandboxRequest, SandboxRow
from composer.engine.local.network.reach import Reach
from composer.engine.local.network.reference import find
from composer.engine.local.network.sandboxes import Sandboxes
from composer.engine.local.network.survey import survey
from composer.engine.local.state import State, Table
from composer.engine.model import EndpointSettings, Event, Network, NetworkConfig, NetworkMember, PruneReport
from composer.engine.model.facts import Facts as HostFacts
from composer.engine.model.facts import Inquiry, Refusal

_DRIVERS = {"bridge": "bridge", "host": "host", "none": "null"}
_PREDEFINED_ID = {name: (name.encode().hex() + "0" * 64)[:64] for name in PREDEFINED}


class Members(Protocol):
    """The containers' side of `connect` and `disconnect`: it changes the container's row, and calls `plug` or `unplug` when it runs."""

    async def attach(self, container: str, network: Network, endpoint: EndpointSettings) -> None: ...
    async def detach(self, container: str, network: Network, force: bool) -> None: ...


class LocalNetworks:
    """Create it, set ``members``, then `start`. ``notes``: kernel settings that were changed and what could not be taken up."""

    members: Members

    def __init__(self, layout: Layout, state: State, publish: Callable[[Event], None]) -> None:
        self._layout = layout
        self._publish = publish
        self._networks = Table(state, "network", encode=Network.to_wire, decode=Network.from_wire)
        self._by_name: dict[str, str] = {}
        self._kernel = Kernel()
        self._bridges = Bridges(layout, self._kernel)
        self._sandboxes = Sandboxes(layout, state, self._kernel, self._bridges, self._find, _is_default)
        self.reach = Reach(layout, self._kernel, self._sandboxes)
        self._firewall = Firewall(self._kernel, layout.table, self._facts)
        self._sandboxes.firewall = self._firewall
        self._healing = Healing(layout, self._kernel, self._bridges, self._sandboxes, self._firewall, self._all, self._tell_mended)
        self.container_mended: Callable[[str, str, str, float], None] = _unheard  # container's id, what, found by, since
        self._creating = asyncio.Lock()

    @property
    def notes(self) -> list[str]:
        return self._bridges.notes

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self, live: Iterable[str]) -> None:
        """Take up what runs (``live``: ids of running containers), release the rest, remove what no row owns, watch the kernel."""
        await self._kernel.start()
        await self._kernel.run(lambda: namespace.share(self._layout.run / "netns"))
        await self._bridges.learn()
        for network in self._networks:
            self._by_name[network.name] = network.id
            self._bridges.know(network)
        await self._predefine()
        await self._healing.sweep(set(live))
        self.notes.extend(await self._sandboxes.restore(set(live)))
        await self._bring_up()
        await self._firewall.apply()
        await self._healing.start()
        self.notes.extend(f"{finding.problem} ({finding.remedy})" for finding in await self.findings())

    async def _bring_up(self) -> None:
        """Every network's bridge; the default one only when a container is in it, so that an idle engine leaves the host alone."""
        for network in self._networks:
            if network.driver == "bridge" and (not _is_default(network) or self._sandboxes.members(network.id)):
                await self._bridges.ensure(network)

    async def _predefine(self) -> None:
        for name in PREDEFINED:
            if name in self._by_name:
                continue
            config = NetworkConfig(name=name, driver=_DRIVERS[name])
            if name == "bridge":
                config = await self._bridges.fill(config, self._networks)
            await self._record(config, _PREDEFINED_ID[name])

    async def close(self) -> None:
        """Stop serving names and sockets. Containers keep their networks and their published ports; an unused default bridge goes."""
        await self._healing.close()
        await self._sandboxes.close()
        await self._firewall.close()
        default = self._networks.get(_PREDEFINED_ID["bridge"])
        if default is not None and not self._sandboxes.members(default.id):
            self._bridges.forget(default)
            if not any(network.driver == "bridge" and not _is_default(network) for network in self._networks):
                await self._firewall.clear()
        await self._bridges.settle()
        await self._kernel.run(lambda: namespace.unshare_directory(self._layout.run / "netns"))
        await self._kernel.close()

    # --- interface.Networks -------------------------------------------------------------------------------------------

    async def create(self, config: NetworkConfig) -> str:
        """Its id; the bridge is up. Conflict (name, overlap), InvalidArgument, Unsupported (driver)."""
        _check(config)
        async with self._creating:
            if config.name in self._by_name:
                raise Conflict(f"network with name {config.name} already exists")
            self._refuse_taken_bridge(config)
            filled = await self._bridges.fill(config, self._networks)
            network = await self._record(filled, secrets.token_hex(32))
        try:
            await self._bridges.ensure(network)
            await self._firewall.apply()
        except BaseException:
            await asyncio.shield(self._forget(network))
            raise
        self._tell("create", network)
        return network.id

    def _refuse_taken_bridge(self, config: NetworkConfig) -> None:
        name = options.bridge_name(config.options)
        if name and any(self._bridges.name(network) == name for network in self._networks if network.driver == "bridge"):
            raise Conflict(f"network with bridge name {name} already exists")
        if name and Path("/sys/class/net", name).exists():
            raise Conflict(f"a link named {name} already exists on the host", hint="choose another com.docker.network.bridge.name")

    async def _record(self, config: NetworkConfig, ident: str) -> Network:
        network = Network(
            name=config.name,
            id=ident,
            created=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            driver=config.driver or "bridge",
            enable_ipv4=config.enable_ipv4,
            enable_ipv6=config.enable_ipv6,
            ipam=config.ipam,
            internal=config.internal,
            attachable=config.attachable,
            options=config.options,
            labels=config.labels,
        )
        self._bridges.know(network)
        self._by_name[network.name] = network.id
        await self._networks.put(network.id, network)
        return network

    async def _forget(self, network: Network) -> None:
        """The row, then the firewall, then the bridge (not waited for)."""
        self._by_name.pop(network.name, None)
        await self._networks.delete(network.id)
        await self._firewall.apply()
        self._bridges.forget(network)
        self._sandboxes.forget(network.id)

    async def inspect(self, ref: str) -> Network:
        return self._shown(self._find(ref))

    async def list(self, filters: Filters | None = None) -> Sequence[Network]:
        shown = [self._shown(network) for network in self._networks]
        return filtering.select(shown, filters, used=lambda ident: bool(self._sandboxes.members(ident)))

    async def facts(self, about: Inquiry, known: Callable[[str], bool]) -> HostFacts:
        """The network's part of `Engine.facts`. ``known``: is this the id of a container?"""
        rows = self._sandboxes.rows()
        return await survey(about, self._layout, self._kernel, list(self._networks), rows, self._bridges.is_own, known)

    def refusals(self, config: NetworkConfig) -> tuple[Refusal, ...]:
        """What `create` would refuse without looking at the host."""
        try:
            _check(config)
        except EngineError as error:
            return (Refusal(error.message, error.hint or ""),)
        return ()

    async def remove(self, ref: str) -> None:
        """NotFound, Conflict (predefined, or a running container is in it)."""
        network = self._find(ref)
        if network.name in PREDEFINED:
            raise Conflict(f"{network.name} is a pre-defined network and cannot be removed")
        users = [f'name:"{row.name}" id:"{e.settings.endpoint_id[:12]}"' for row, e in self._sandboxes.members(network.id).values()]
        if users:
            raise Conflict(
                f"error while removing network: network {network.name} has active endpoints ({', '.join(users)})",
                hint="stop or disconnect these containers first",
            )
        await self._forget(network)
        self._tell("destroy", network)

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        """Remove all networks that no running container is in; predefined ones stay."""
        wanted = check(filters, filtering.PRUNE_KEYS)
        limit = before(wanted, time.time())
        deleted = []
        for network in list(self._networks):
            young = datetime.fromisoformat(network.created).timestamp() > limit
            if network.name in PREDEFINED or young or self._sandboxes.members(network.id) or not labels_match(network.labels, wanted):
                continue
            await self.remove(network.id)
            deleted.append(network.name)
        return PruneReport(deleted=tuple(deleted))

    async def connect(self, ref: str, container: str, endpoint: EndpointSettings) -> None:
        network = self._find(ref)
        if network.driver != "bridge":
            raise InvalidArgument(f"container cannot be connected to host network: {network.name} joins no endpoints")
        endpoints.check(network, endpoint, self._bridges.pools(network.id))
        await self.members.attach(container, network, endpoint)

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        await self.members.detach(container, self._find(ref), force)

    # --- for the engine -----------------------------------------------------------------------------------------------

    def check(self, request: SandboxRequest) -> None:
        """Refuse at `create` what `open` could never do: an unknown network, an address outside of its subnets, a wrong port or host."""
        for ref, settings in request.endpoints.items():
            network = self._find(ref)
            endpoints.check(network, settings, self._bridges.pools(network.id))
        ports.wishes(request.port_bindings, request.exposed_ports, publish_all=request.publish_all)
        hosts.parse_extra(request.extra_hosts, "127.0.0.1")

    async def open(self, request: SandboxRequest) -> Sandbox:
        """Make a container's network, before its process is made. An older one of the same container is released first."""
        sandbox = await self._sandboxes.open(request)
        for settings in sandbox.networks.values():
            self._tell("connect", self._networks[settings.network_id], container=request.container_id)
        return sandbox

    async def release(self, container_id: str) -> None:
        """Take it back, when its process has ended. Missing is fine."""
        row = self._sandboxes.row(container_id)
        await self._sandboxes.release(container_id)
        for endpoint in row.endpoints if row else ():
            network = self._networks.get(endpoint.network)
            if network is not None:
                self._tell("disconnect", network, container=container_id)

    async def plug(self, container_id: str, network: str, endpoint: EndpointSettings) -> EndpointSettings:
        found = self._find(network)
        settings = await self._sandboxes.plug(container_id, found, endpoint)
        self._tell("connect", found, container=container_id)
        return settings

    async def rename(self, container_id: str, name: str) -> dict[str, EndpointSettings]:
        """A running container is called otherwise. The endpoints' settings by network name."""
        return await self._sandboxes.rename(container_id, name)

    async def unplug(self, container_id: str, network: str) -> None:
        found = self._find(network)
        await self._sandboxes.unplug(container_id, found)
        self._tell("disconnect", found, container=container_id)

    def host_files(self, request: SandboxRequest) -> tuple[str, str]:
        """(hosts, resolv.conf) of a container in the host's network: the host's own, with what the container adds."""
        base = Path("/etc/hosts").read_text(errors="replace") if Path("/etc/hosts").exists() else ""
        extra = hosts.parse_extra(request.extra_hosts, "127.0.0.1")
        conf = self._sandboxes.naming.upstream.plain()
        servers = tuple(request.dns) or conf.servers
        resolv = hosts.render_resolv_conf(conf, servers=servers, search=request.dns_search, options=request.dns_options)
        return hosts.render_hosts((), "", "", extra, base=base or hosts.LOCAL), resolv

    async def heal(self) -> Sequence[str]:
        """Put right what differs in the kernel from the rows; what was mended, as sentences."""
        return await self._healing.heal()

    async def heal_insides(self, pids: Mapping[str, int], left_alone: Collection[str]) -> Sequence[str]:
        """As `heal`, within the namespaces of these running containers (``pids``); ``left_alone``: those that change their own network."""
        return await self._healing.heal_insides(pids, left_alone)

    def _tell_mended(self, mended: Mended, found: str, since: float) -> None:
        """As an event that is not Docker's: `mend`."""
        if mended.container:
            self.container_mended(mended.container, mended.what, found, since)
            return
        attributes = {"what": mended.what, "found": found, "since": str(since)}
        network = self._networks.get(mended.network)
        if network is not None:
            self._publish(event("network", "mend", network.id, {**network.labels, "name": network.name, **attributes}))
        else:
            self._publish(event("daemon", "mend", self._layout.instance, {"name": "engine", **attributes}))

    async def findings(self) -> Sequence[Finding]:
        """What on this machine stands in the way of containers' traffic (for `doctor`, and a warning at start)."""
        listed = doctor.dropping_chains(await self._kernel.nft("list chains\n"), self._layout.table)
        return listed + await self._kernel.run(doctor.legacy_chain)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _find(self, ref: str) -> Network:
        return find(self._networks, self._by_name, ref)

    def _all(self) -> Iterable[Network]:
        return self._networks

    def _facts(self) -> Facts:
        made = [network for network in self._networks if self._bridges.is_made(network.id)]
        return [self._bridges.rule(network) for network in made], self.reach.port_rules()

    def _shown(self, network: Network) -> Network:
        members = self._sandboxes.members(network.id)
        return network.replace(containers={container: _member(row, e) for container, (row, e) in members.items()}) if members else network

    def _tell(self, action: str, network: Network, **attributes: str) -> None:
        self._publish(event("network", action, network.id, {"name": network.name, "type": network.driver, **attributes}))


def _is_default(network: Network) -> bool:
    return network.id == _PREDEFINED_ID["bridge"]


def _member(row: SandboxRow, endpoint: EndpointRow) -> NetworkMember:
    s = endpoint.settings
    return NetworkMember(
        name=row.name,
        endpoint_id=s.endpoint_id,
        mac_address=s.mac_address,
        ipv4_address=f"{s.ip_address}/{s.ip_prefix_len}" if s.ip_address else "",
        ipv6_address=f"{s.global_ipv6_address}/{s.global_ipv6_prefix_len}" if s.global_ipv6_address else "",
    )


def _check(config: NetworkConfig) -> None:
    """What can be refused without looking at the host."""
    if not config.name:
        raise InvalidArgument("network name cannot be empty")
    if config.name in PREDEFINED or config.name == "default":
        raise Conflict(f"operation is not permitted on predefined {config.name} network")
    if config.driver in ("host", "null"):
        raise Conflict(f'only one instance of "{config.driver}" network is allowed')
    if config.driver not in ("", "bridge", "default"):
        raise Unsupported(f"the network driver {config.driver} is not supported", hint="bridge is")
    if config.ipam.driver not in ("", "default"):
        raise Unsupported(f"the ipam driver {config.ipam.driver} is not supported")
    for flag, what in ((config.ingress, "an ingress network"), (config.config_only, "a config-only network")):
        if flag:
            raise Unsupported(f"{what} is not supported", hint="it is a thing of Swarm")
    if not config.enable_ipv4 and not config.enable_ipv6:
        raise InvalidArgument("IPv4 or IPv6 must be enabled")
    options.check(config.options)


def _unheard(_container: str, _what: str, _found: str, _since: float) -> None:
    return
