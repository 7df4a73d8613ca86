"""Networks in memory, and the wiring of containers to them: addresses from subnets, host ports, members."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotFound, Unsupported
from composer.engine.filters import networks as filtering
from composer.engine.filters.words import PREDEFINED, Filters, check, labels_match
from composer.engine.memory.world import Record, World
from composer.engine.model import (
    IPAM,
    EndpointSettings,
    IPAMPool,
    Network,
    NetworkConfig,
    NetworkMember,
    PortBinding,
    PruneReport,
)

_POOL = ipaddress.ip_network("172.29.0.0/16")
_FIRST_PORT = 32768


def find_network(world: World, ref: str) -> Network:
    """By name, id or id prefix. NotFound."""
    for network in world.networks.values():
        if ref in (network.name, network.id):
            return network
    found = [network for network in world.networks.values() if ref and network.id.startswith(ref)]
    if len(found) > 1:
        raise InvalidArgument(f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)")
    if not found:
        raise NotFound(f"network {ref} not found")
    return found[0]


class Wiring:
    """What `Lifecycle` asks for: addresses and ports when a container starts, and their release."""

    def __init__(self, world: World) -> None:
        self._world = world

    def plug(self, record: Record) -> None:
        """Give the container its addresses and host ports. EngineError when a host port is taken."""
        record.container = record.container.replace(
            network_settings=record.container.network_settings.replace(ports=self._take_ports(record))
        )
        for name in list(record.wishes):
            self.join(record, name)

    def unplug(self, record: Record) -> None:
        for network in list(self._world.networks.values()):
            if record.id in network.containers:
                members = {id: member for id, member in network.containers.items() if id != record.id}
                self._world.networks[network.id] = network.replace(containers=members)
                self._tell("disconnect", network, record)
        for key, holders in list(self._world.host_ports.items()):
            holders.discard(record.id)
            if not holders:
                del self._world.host_ports[key]
        settings = record.container.network_settings
        ends = {name: self._wish(record, name) for name in record.wishes}
        record.container = record.container.replace(network_settings=settings.replace(ports={}, networks=ends))

    def join(self, record: Record, name: str) -> None:
        """One network more of a running container; its endpoint is shown with addresses then."""
        network = find_network(self._world, name)
        wish = record.wishes[name]
        address, prefix = self._address(network, wish)
        end = wish.replace(
            network_id=network.id,
            endpoint_id=self._world.next_id("endpoint"),
            gateway=network.ipam.config[0].gateway if network.ipam.config else "",
            ip_address=address,
            ip_prefix_len=prefix,
            mac_address=wish.mac_address or (_mac(address) if address else ""),
            dns_names=tuple(dict.fromkeys((record.name, *wish.aliases, record.id[:12]))) if network.name not in PREDEFINED else (),
        )
        cidr = f"{address}/{prefix}" if address else ""
        member = NetworkMember(name=record.name, endpoint_id=end.endpoint_id, mac_address=end.mac_address, ipv4_address=cidr)
        self._world.networks[network.id] = network.replace(containers={**network.containers, record.id: member})
        settings = record.container.network_settings
        record.container = record.container.replace(network_settings=settings.replace(networks={**settings.networks, name: end}))
        self._tell("connect", network, record)

    def leave(self, record: Record, name: str) -> None:
        network = find_network(self._world, name)
        members = {id: member for id, member in network.containers.items() if id != record.id}
        self._world.networks[network.id] = network.replace(containers=members)
        settings = record.container.network_settings
        ends = {key: end for key, end in settings.networks.items() if key != name}
        record.container = record.container.replace(network_settings=settings.replace(networks=ends))
        self._tell("disconnect", network, record)

    def _wish(self, record: Record, name: str) -> EndpointSettings:
        wish = record.wishes[name]
        network = next((one for one in self._world.networks.values() if name in (one.name, one.id)), None)
        return wish.replace(network_id=network.id if network else "")

    def _tell(self, action: str, network: Network, record: Record) -> None:
        attributes = {"container": record.id, "name": network.name, "type": network.driver}
        self._world.publish("network", action, network.id, attributes)

    def _address(self, network: Network, wish: EndpointSettings) -> tuple[str, int]:
        if not network.ipam.config:
            return "", 0
        pool = network.ipam.config[0]
        subnet = ipaddress.ip_network(pool.subnet)
        used = {member.ipv4_address.partition("/")[0] for member in network.containers.values()} | {pool.gateway}
        asked = wish.ipam_config.ipv4_address if wish.ipam_config else ""
        if asked:
            if asked in used:
                raise Conflict("Address already in use")
            if ipaddress.ip_address(asked) not in subnet:
                raise InvalidArgument(
                    "user specified IP address is supported only when connecting to networks with user configured subnets"
                )
            return asked, subnet.prefixlen
        for host in subnet.hosts():
            if str(host) not in used:
                return str(host), subnet.prefixlen
        raise EngineError(f"no available IPv4 addresses on this network's address pools: {network.name}")

    def _take_ports(self, record: Record) -> dict[str, tuple[PortBinding, ...] | None]:
        host = record.container.host_config
        wanted: dict[str, tuple[PortBinding, ...]] = {}
        if record.container.config.exposed_ports and host.publish_all_ports:
            wanted = {port: (PortBinding(),) for port in record.container.config.exposed_ports}
        wanted |= {port: bindings or (PortBinding(),) for port, bindings in host.port_bindings.items()}
        chosen: dict[str, tuple[PortBinding, ...] | None] = dict.fromkeys(record.container.config.exposed_ports)
        for port, bindings in wanted.items():
            chosen[port] = tuple(self._take_port(record, port.partition("/")[2] or "tcp", binding) for binding in bindings)
        return chosen

    def _take_port(self, record: Record, protocol: str, binding: PortBinding) -> PortBinding:
        first, _, last = binding.host_port.partition("-")
        choices: Sequence[int] = range(int(first), int(last or first) + 1) if first and first != "0" else range(_FIRST_PORT, 61000)
        for number in choices:
            taken = PortBinding(host_ip=binding.host_ip or "0.0.0.0", host_port=str(number))
            holders = self._world.host_ports.setdefault((protocol, taken), set())
            if all(holder == record.id or self._share(holder, record) for holder in holders):
                holders.add(record.id)
                return taken
        raise EngineError(
            f"failed to set up container networking: driver failed programming external connectivity on endpoint {record.name}: "
            f"Bind for {binding.host_ip or '0.0.0.0'}:{binding.host_port} failed: port is already allocated"
        )

    def _share(self, holder: str, record: Record) -> bool:
        return bool(record.group) and self._world.containers[holder].group == record.group


def _mac(address: str) -> str:
    return "02:42:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(address).packed)


class MemoryNetworks:
    """interface.Networks."""

    def __init__(self, world: World, wiring: Wiring) -> None:
        self._world = world
        self._wiring = wiring
        for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            self._add(NetworkConfig(name=name, driver=driver), IPAM(config=self._pools()) if name == "bridge" else IPAM())

    def _add(self, config: NetworkConfig, ipam: IPAM) -> Network:
        network = Network(
            name=config.name,
            id=self._world.next_id("network"),
            created=self._world.now(),
            driver=config.driver,
            enable_ipv4=config.enable_ipv4,
            enable_ipv6=config.enable_ipv6,
            ipam=ipam,
            internal=config.internal,
            attachable=config.attachable,
            options=config.options,
            labels=config.labels,
        )
        self._world.networks[network.id] = network
        return network

    def _pools(self) -> tuple[IPAMPool, ...]:
        used = {pool.subnet for network in self._world.networks.values() for pool in network.ipam.config}
        for subnet in _POOL.subnets(new_prefix=24):
            if str(subnet) not in used:
                return (IPAMPool(subnet=str(subnet), gateway=str(subnet[1])),)
        raise EngineError("all predefined address pools have been fully subnetted")

    async def create(self, config: NetworkConfig) -> str:
        if not config.name:
            raise InvalidArgument("network name is required")
        if config.driver not in ("", "bridge"):
            raise Unsupported(f'network driver "{config.driver}" is not supported', hint="use the driver bridge")
        if any(network.name == config.name for network in self._world.networks.values()):
            raise Conflict(f"network with name {config.name} already exists")
        pools = tuple(self._pool(pool) for pool in config.ipam.config if pool.subnet) or self._pools()
        network = self._add(config.replace(driver="bridge"), config.ipam.replace(config=pools))
        self._world.publish("network", "create", network.id, {"name": network.name, "type": network.driver})
        return network.id

    def _pool(self, pool: IPAMPool) -> IPAMPool:
        try:
            subnet = ipaddress.ip_network(pool.subnet)
        except ValueError as error:
            raise InvalidArgument(f"invalid subnet {pool.subnet}: {error}") from error
        for network in self._world.networks.values():
            for other in network.ipam.config:
                if subnet.version == 4 and ipaddress.ip_network(other.subnet).overlaps(subnet):
                    raise Conflict("invalid pool request: Pool overlaps with other one on this address space")
        return pool if pool.gateway else pool.replace(gateway=str(subnet[1]))

    async def inspect(self, ref: str) -> Network:
        return find_network(self._world, ref)

    async def list(self, filters: Filters | None = None) -> Sequence[Network]:
        return filtering.select(list(self._world.networks.values()), filters, used=lambda id: bool(self._users(id)))

    def _users(self, id: str) -> Sequence[str]:
        name = self._world.networks[id].name
        return [record.name for record in self._world.containers.values() if name in record.wishes or id in record.wishes]

    async def remove(self, ref: str) -> None:
        network = find_network(self._world, ref)
        if network.name in PREDEFINED:
            raise Conflict(f"{network.name} is a pre-defined network and cannot be removed")
        if network.containers:
            ends = ", ".join(f'name:"{member.name}" id:"{id[:12]}"' for id, member in network.containers.items())
            raise Conflict(f"error while removing network: network {network.name} has active endpoints ({ends})")
        del self._world.networks[network.id]
        self._world.publish("network", "destroy", network.id, {"name": network.name, "type": network.driver})

    async def connect(self, ref: str, container: str, endpoint: EndpointSettings) -> None:
        network = find_network(self._world, ref)
        record = self._record(container)
        if network.name in record.wishes:
            raise Conflict(f"endpoint with name {record.name} already exists in network {network.name}")
        record.wishes[network.name] = endpoint
        if record.running:
            self._wiring.join(record, network.name)
        else:
            settings = record.container.network_settings
            ends = {**settings.networks, network.name: endpoint.replace(network_id=network.id)}
            record.container = record.container.replace(network_settings=settings.replace(networks=ends))

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        network = find_network(self._world, ref)
        record = self._record(container)
        if network.name not in record.wishes:
            raise NotFound(f"container {record.id} is not connected to network {network.name}")
        self._wiring.leave(record, network.name)
        del record.wishes[network.name]

    def _record(self, ref: str) -> Record:
        for record in self._world.containers.values():
            if ref in (record.name, record.id) or (ref and record.id.startswith(ref)):
                return record
        raise NotFound(f"No such container: {ref}")

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        wanted = check(filters, filtering.PRUNE_KEYS)
        gone = []
        for network in list(self._world.networks.values()):
            spared = network.name in PREDEFINED or self._users(network.id)
            if not spared and labels_match(network.labels, wanted):
                await self.remove(network.id)
                gone.append(network.name)
        return PruneReport(deleted=tuple(gone))
