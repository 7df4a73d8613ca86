"""Networks of a stack, a service's attachment to one, and its published ports. Source: Compose Specification, chapter "networks"."""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.base import HIDDEN, IN_JSON, Spec
from composer.spec.model.values import Flag, Whole


class Pool(Spec):
    """One address range of a network."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: dict[str, str] = Field(default_factory=dict)


class Ipam(Spec):
    """Address management of a network."""

    driver: str = ""
    config: list[Pool] = Field(default_factory=list)
    options: dict[str, str] = Field(default_factory=dict, json_schema_extra=HIDDEN)


_NO_Ipam = Ipam()  # frozen, so one is enough for all


class Network(Spec):
    """A network of the stack; `name` is the engine's name for it."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = Field(default_factory=dict)
    ipam: Ipam = Field(default_factory=lambda: _NO_Ipam, json_schema_extra=IN_JSON)
    external: Flag = False
    internal: Flag = False
    attachable: Flag = False
    labels: dict[str, str] = Field(default_factory=dict)
    enable_ipv4: Flag | None = None
    enable_ipv6: Flag | None = None


class ServiceNetwork(Spec):
    """How a service is attached. `declared` is False when the file only names the network."""

    aliases: list[str] = Field(default_factory=list)
    driver_opts: dict[str, str] = Field(default_factory=dict)
    gw_priority: Whole = 0
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: list[str] = Field(default_factory=list)
    mac_address: str = ""
    priority: Whole = 0
    declared: bool = Field(default=True, json_schema_extra=HIDDEN)


class Port(Spec):
    """A published port. `published`: a port, a range `8000-8010` to choose from, or "" for any free one. `target`: in the container."""

    name: str = ""
    mode: str = ""
    host_ip: str = ""
    target: Whole = 0
    published: str = ""
    protocol: str = ""
    app_protocol: str = ""

    @property
    def published_range(self) -> tuple[int, int] | None:
        """First and last published port, or None for any free one."""
        if not self.published:
            return None
        first, _, last = self.published.partition("-")
        return int(first), int(last or first)
