"""Where a registry is: the host behind a reference's domain, and which of http and https may be used. Pure."""

from __future__ import annotations

from ipaddress import ip_address

from composer.engine.local.image.reference import DEFAULT_DOMAIN

_HUB = "registry-1.docker.io"


def host_of(domain: str) -> str:
    """The registry's host (and port) for a canonical reference's domain."""
    return _HUB if domain == DEFAULT_DOMAIN else domain


def is_loopback(host: str) -> bool:
    """Whether ``host`` (with or without port) is this machine: 127.0.0.0/8, ::1 or localhost, for which Docker, too, takes plain http."""
    name = host
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
