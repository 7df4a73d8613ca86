"""The nouns of this room. A *sandbox* is a container's place in the network: a namespace, an *endpoint* in each of its networks, the ports
published for it, and the text of its /etc/hosts and /etc/resolv.conf. Its row is written before anything of it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from composer.engine.model import EndpointSettings, PortBinding
from composer.engine.model.wire import Wire

Ports = dict[str, tuple[PortBinding, ...] | None]


@dataclass(frozen=True)
class SandboxRequest:
    """What a container asks for when it starts. ``endpoints``: network (name or id) -> wish. ``mode``: "bridge" or "none"
    ("host" for `host_files` only). ``links``: "CONTAINER:ALIAS" names known to this container alone."""

    container_id: str
    name: str
    hostname: str = ""
    domainname: str = ""
    endpoints: Mapping[str, EndpointSettings] = field(default_factory=dict)
    port_bindings: Mapping[str, Sequence[PortBinding] | None] = field(default_factory=dict)
    exposed_ports: Sequence[str] = ()
    publish_all: bool = False
    dns: Sequence[str] = ()
    dns_search: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    extra_hosts: Sequence[str] = ()
    mode: str = "bridge"
    links: Sequence[str] = ()


@dataclass(frozen=True)
class Sandbox:
    """What it got. ``networks`` by network name, in the order of the interfaces; ``ports``: what `inspect` shows."""

    netns: Path
    networks: dict[str, EndpointSettings]
    ports: Ports
    hosts: str
    resolv_conf: str


class EndpointRow(Wire):
    """An endpoint as it was made. ``link``: the host end of the cable; ``interface``: its name inside."""

    network: str = ""  # id
    link: str = ""
    interface: str = ""
    mtu: int = 1500
    settings: EndpointSettings = Field(default_factory=EndpointSettings)


class PublishedPort(Wire):
    """A host port that leads to a container's port. ``host_ip``: "0.0.0.0", "::" or one address."""

    protocol: str = "tcp"
    port: int = 0
    host_ip: str = "0.0.0.0"
    host_port: int = 0


class SandboxRow(Wire):
    """What is remembered of a sandbox. ``dns_redirect``: the image itself serves port 53, ours is reached by a rule in the namespace."""

    container: str = ""
    name: str = ""
    hostname: str = ""
    domainname: str = ""
    mode: str = "bridge"
    endpoints: tuple[EndpointRow, ...] = ()
    exposed: tuple[str, ...] = ()
    published: tuple[PublishedPort, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    dns_redirect: bool = False
