"""A stack beside others of the same files: what would clash between two checkouts gets names, ports and addresses of its own. Pure.

The stack's name, and with it every name that is made of it, is its own already. `isolate` takes away what the file fixes: host ports,
container names, names of volumes, networks and built images, subnets and addresses. What is external stays shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composer.errors import Diagnostic
from composer.spec.model import Network, Port, Service, ServiceNetwork, Stack, Volume
from composer.spec.model.network import Ipam


def published(stack: Stack) -> dict[str, tuple[str, str]]:
    """The host ports that the file fixes: key -> (host address, protocol). The key is the same as long as the port is."""
    found = {}
    for service in _all(stack).values():
        for port in service.ports:
            if port.published and (service.replicas or 0) <= 1:
                found[port_key(service.name, port)] = (port.host_ip, port.protocol or "tcp")
    return found


def port_key(service: str, port: Port) -> str:
    """ "web 127.0.0.1:8080:80/tcp"."""
    return f"{service} {port.host_ip + ':' if port.host_ip else ''}{port.published}:{port.target}/{port.protocol or 'tcp'}"


def isolate(stack: Stack, ports: Mapping[str, int]) -> Stack:
    """The stack with nothing fixed that another one of the same files could have. ``ports``: a free one for each of `published`; a port
    that is not among them gets any that is free."""
    everyone = _all(stack)
    images = {service.image: f"{stack.name}-{service.name}" for service in everyone.values() if service.image and service.build is not None}
    made = {name: _service(service, ports, images, stack.name) for name, service in everyone.items()}
    declared = stack.declared.model_copy(
        update={
            "volumes": {key: _volume(stack.name, key, volume) for key, volume in stack.declared.volumes.items()},
            "networks": {key: _network(stack.name, key, network) for key, network in stack.declared.networks.items()},
        }
    )
    found = stack.model_copy(update={"declared": declared, "warnings": (*stack.warnings, *_warnings(everyone.values()))})
    enabled = {name: made[name] for name in stack.services}
    return found.with_services(enabled, {name: made[name] for name in stack.disabled_services})


def _all(stack: Stack) -> dict[str, Service]:
    return {**stack.services, **stack.disabled_services}


def _service(service: Service, ports: Mapping[str, int], images: Mapping[str, str], stack: str) -> Service:
    update: dict[str, Any] = {"ports": [_port(service.name, port, ports) for port in service.ports], "container_name": ""}
    if service.image in images:
        update["image"] = "" if service.build is not None else images[service.image]
    update["networks"] = {name: _attached(network, service.container_name) for name, network in service.networks.items()}
    return service.model_copy(update=update)


def _port(service: str, port: Port, ports: Mapping[str, int]) -> Port:
    if not port.published:
        return port
    free = ports.get(port_key(service, port))
    return port.model_copy(update={"published": str(free) if free else ""})


def _attached(network: ServiceNetwork, alias: str) -> ServiceNetwork:
    """Without a fixed address, and still found by the container's name that the file gave it."""
    aliases = [*network.aliases, alias] if alias and alias not in network.aliases else network.aliases
    return network.model_copy(update={"ipv4_address": "", "ipv6_address": "", "mac_address": "", "aliases": aliases})


def _volume(stack: str, key: str, volume: Volume) -> Volume:
    return volume if volume.external else volume.model_copy(update={"name": f"{stack}_{key}"})


def _network(stack: str, key: str, network: Network) -> Network:
    return network if network.external else network.model_copy(update={"name": f"{stack}_{key}", "ipam": Ipam()})


def _warnings(services: Any) -> list[Diagnostic]:
    return [
        Diagnostic(
            "spec.isolated-host",
            f'service "{service.name}" has the host\'s network: its ports cannot be isolated',
            hint="use ports instead of network_mode: host",
            severity="warning",
        )
        for service in services
        if service.network_mode == "host"
    ]
