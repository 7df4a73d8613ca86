"""A container's way into the network: its own sandbox, the host's namespace, or another container's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from composer.engine.errors import Conflict
from composer.engine.local.containers.parts import Parts, handle_of
from composer.engine.local.containers.record import Record
from composer.engine.local.containers.registry import Held
from composer.engine.local.network.model import SandboxRequest
from composer.engine.model import EndpointSettings, PortBinding


@dataclass(frozen=True)
class Place:
    """``netns``: the namespace to join, None = the host's. ``files``: name in the container's directory -> text; or the path to share."""

    netns: Path | None
    networks: dict[str, EndpointSettings] = field(default_factory=dict)
    ports: dict[str, tuple[PortBinding, ...] | None] = field(default_factory=dict)
    files: dict[str, str | Path] = field(default_factory=dict)


def request(record: Record) -> SandboxRequest:
    config, host = record.config, record.config.host_config
    mode = record.network_mode
    return SandboxRequest(
        container_id=record.id,
        name=record.name,
        hostname=config.hostname,
        domainname=config.domainname,
        endpoints={wish.network_id or name: wish for name, wish in record.endpoints.items()},
        port_bindings=host.port_bindings,
        exposed_ports=tuple(config.exposed_ports),
        publish_all=host.publish_all_ports,
        dns=host.dns,
        dns_search=host.dns_search,
        dns_options=host.dns_options,
        extra_hosts=host.extra_hosts,
        mode=mode if mode in ("none", "host") else "bridge",
        links=host.links,
    )


async def enter(parts: Parts, held: Held) -> Place:
    """Open its sandbox, or find the namespace that it shares. Conflict: that container does not run. NotFound: a network is gone."""
    record = held.record
    mode = record.network_mode
    hostname = f"{record.config.hostname}\n"
    if mode.startswith("container:"):
        return _shared(parts, mode.removeprefix("container:"))
    if mode == "host":
        hosts, resolv = parts.networks.host_files(request(record))
        return Place(None, files={"hostname": hostname, "hosts": hosts, "resolv.conf": resolv})
    sandbox = await parts.networks.open(request(record))
    files: dict[str, str | Path] = {"hostname": hostname, "hosts": sandbox.hosts, "resolv.conf": sandbox.resolv_conf}
    return Place(sandbox.netns, dict(sandbox.networks), dict(sandbox.ports), files)


def _shared(parts: Parts, ident: str) -> Place:
    target = parts.registry.find(ident)
    if not target.run.phase.alive:
        raise Conflict(f"cannot join network of a non running container: {target.id}", hint=f"start {target.name} first")
    if target.record.network_mode.startswith("container:"):
        return _shared(parts, target.record.network_mode.removeprefix("container:"))
    directory = parts.layout.container(target.id)
    netns = None if target.record.network_mode == "host" else Path(f"/proc/{handle_of(target).init.pid}/ns/net")
    return Place(netns, files={name: directory / name for name in ("hostname", "hosts", "resolv.conf")})
