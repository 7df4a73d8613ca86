"""A network: a bridge with its address pools."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.container import ZERO_TIME, EndpointSettings
from composer.engine.model.wire import Wire


class IPAMPool(Wire):
    subnet: str = ""
    ip_range: str = Field(default="", alias="IPRange")
    gateway: str = ""
    aux_addresses: dict[str, str] = Field(default_factory=dict, alias="AuxiliaryAddresses")


class IPAM(Wire):
    driver: str = "default"
    options: dict[str, str] = Field(default_factory=dict)
    config: tuple[IPAMPool, ...] = ()


class NetworkConfig(Wire):
    """The body of `POST /networks/create`."""

    name: str = ""
    driver: str = "bridge"
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    enable_ipv4: bool = Field(default=True, alias="EnableIPv4")
    enable_ipv6: bool = Field(default=False, alias="EnableIPv6")
    ipam: IPAM = Field(default_factory=IPAM, alias="IPAM")
    options: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


class NetworkMember(Wire):
    name: str = ""
    endpoint_id: str = Field(default="", alias="EndpointID")
    mac_address: str = ""
    ipv4_address: str = Field(default="", alias="IPv4Address")  # with prefix length
    ipv6_address: str = Field(default="", alias="IPv6Address")


class Network(Wire):
    """What `GET /networks/ID` says. ``containers``: the running members by container id."""

    name: str = ""
    id: str = ""
    created: str = ZERO_TIME
    scope: str = "local"
    driver: str = "bridge"
    enable_ipv4: bool = Field(default=True, alias="EnableIPv4")
    enable_ipv6: bool = Field(default=False, alias="EnableIPv6")
    ipam: IPAM = Field(default_factory=IPAM, alias="IPAM")
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    containers: dict[str, NetworkMember] = Field(default_factory=dict)
    options: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


class NetworkConnect(Wire):
    container: str = ""
    endpoint_config: EndpointSettings = Field(default_factory=EndpointSettings)
