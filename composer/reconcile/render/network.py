"""Networks: the stack's own, and a service's place in them. Pure."""

from __future__ import annotations

from composer.engine.model import IPAM, EndpointIPAMConfig, EndpointSettings, IPAMPool, NetworkConfig
from composer.spec.model import Network, Service, ServiceNetwork, Stack

_INTERFACE = "com.docker.network.endpoint.ifname"


def network_config(network: Network) -> NetworkConfig:
    """What the engine makes it from, without labels of the stack."""
    ipam = network.ipam
    pools = tuple(
        IPAMPool(subnet=pool.subnet, ip_range=pool.ip_range, gateway=pool.gateway, aux_addresses=dict(pool.aux_addresses))
        for pool in ipam.config
    )
    return NetworkConfig(
        name=network.name,
        driver=network.driver or "bridge",
        internal=network.internal,
        attachable=network.attachable,
        enable_ipv4=network.enable_ipv4 is not False,
        enable_ipv6=bool(network.enable_ipv6),
        ipam=IPAM(driver=ipam.driver or "default", options=dict(ipam.options), config=pools),
        options=dict(network.driver_opts),
        labels=dict(network.labels),
    )


def attachments(stack: Stack, service: Service) -> list[tuple[str, ServiceNetwork]]:
    """(the engine's name, how attached), the highest priority first: the first one is the container's network mode."""
    found = [(key, stack.networks[key].name, wish) for key, wish in service.networks.items()]
    found.sort(key=lambda item: (-item[2].priority, item[0]))
    return [(name, wish) for _, name, wish in found]


def network_mode(service: Service, attached: list[tuple[str, ServiceNetwork]]) -> str:
    """The engine's network mode; "service:x" is resolved when the container is made."""
    if service.network_mode:
        return service.network_mode
    return attached[0][0] if attached else "none"


def endpoint(service: Service, wish: ServiceNetwork, *, first: bool, links: tuple[str, ...], aliases: tuple[str, ...]) -> EndpointSettings:
    """A container's place in one network."""
    options = dict(wish.driver_opts)
    if wish.interface_name:
        options[_INTERFACE] = wish.interface_name
    fixed = None
    if wish.ipv4_address or wish.ipv6_address or wish.link_local_ips:
        fixed = EndpointIPAMConfig(
            ipv4_address=wish.ipv4_address, ipv6_address=wish.ipv6_address, link_local_ips=tuple(wish.link_local_ips)
        )
    return EndpointSettings(
        ipam_config=fixed,
        links=links,
        aliases=tuple(dict.fromkeys((*aliases, *wish.aliases))),
        mac_address=wish.mac_address or (service.mac_address if first else ""),
        driver_opts=options,
        gw_priority=wish.gw_priority,
    )


def links(stack: Stack, service: Service) -> tuple[str, ...]:
    """ "CONTAINER:ALIAS" of `links` (each container of the linked service) and `external_links`."""
    found: list[str] = []
    for link in service.links:
        name, _, alias = link.partition(":")
        linked = stack.services.get(name)
        if linked is None:
            continue
        names = [linked.container_name] if linked.container_name else [f"{stack.name}-{name}-{n}" for n in range(1, linked.replicas + 1)]
        found.extend(f"{container}:{alias or name}" for container in names)
    for link in service.external_links:
        container, _, alias = link.partition(":")
        found.append(f"{container}:{alias or container}")
    return tuple(found)
