"""The driver options that the bridge driver knows (Docker's names), checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from composer.engine.errors import InvalidArgument, Unsupported

_NAME, _MTU = "com.docker.network.bridge.name", "com.docker.network.driver.mtu"
_BOOLEANS = (
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.bridge.enable_ip_masquerade",
    "com.docker.network.bridge.default_bridge",
)
_HOST_IP = "com.docker.network.bridge.host_binding_ipv4"
_MODES = ("com.docker.network.bridge.gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv6")
_IFNAME = "com.docker.network.endpoint.ifname"
_SYSCTLS = "com.docker.network.endpoint.sysctls"
_LINK_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,15}$")


def check(options: Mapping[str, str]) -> None:
    """Refuse what would have no effect. InvalidArgument, Unsupported."""
    mtu_option(options)
    bridge_name(options)
    for key in _BOOLEANS:
        if options.get(key, "true").lower() not in ("true", "false", "1", "0"):
            raise InvalidArgument(f"failed to parse {key} value: {options[key]!r} (must be true or false)")
    for key in _MODES:
        if options.get(key, "nat") not in ("", "nat"):
            raise Unsupported(f"{key}={options[key]} is not supported", hint="only nat is")
    for key in options:
        if key.startswith("com.docker.network.") and key not in (_NAME, _MTU, *_BOOLEANS, _HOST_IP, *_MODES):
            raise Unsupported(f"the network option {key} is not supported")


def mtu_option(options: Mapping[str, str]) -> int | None:
    text = options.get(_MTU)
    if text is None:
        return None
    if not text.isdecimal() or not (text == "0" or 68 <= int(text) <= 65535):
        raise InvalidArgument(f"failed to parse {_MTU} value: {text!r}")
    return int(text) or None


def bridge_name(options: Mapping[str, str]) -> str:
    return link_name(options.get(_NAME, ""))


def host_ip(options: Mapping[str, str]) -> str:
    """The host address of published ports that name none ("" = all)."""
    return options.get(_HOST_IP, "")


def interface_name(options: Mapping[str, str]) -> str:
    """The name wanted inside the container, "" = eth0, eth1 ..."""
    return link_name(options.get(_IFNAME, ""))


def link_name(name: str) -> str:
    if name and (not _LINK_NAME.match(name) or name in (".", "..", "lo")):
        raise InvalidArgument(f"invalid interface name {name!r}", hint="at most 15 letters, digits, '.', '_' and '-'")
    return name


def endpoint_sysctls(options: Mapping[str, str], interface: str) -> tuple[tuple[str, str], ...]:
    """(path beneath /proc/sys, value) of "net.ipv4.conf.IFNAME.log_martians=1,..."."""
    found = []
    for entry in filter(None, options.get(_SYSCTLS, "").split(",")):
        key, separator, value = entry.partition("=")
        parts = key.split(".")
        if not separator or len(parts) < 5 or parts[0] != "net" or parts[3] != "IFNAME" or any(p in ("", "..") or "/" in p for p in parts):
            raise InvalidArgument(f"unable to parse the sysctl {entry!r}", hint="write net.ipv4.conf.IFNAME.NAME=VALUE")
        parts[3] = interface
        found.append(("/".join(parts), value))
    return tuple(found)
