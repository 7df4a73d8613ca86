"""The short syntax of published ports: `[[host-ip:]published:]target[/protocol]`, with ranges, to long form.

Source: Compose Specification, services, "ports"; the corners are those of Docker's own parser (go-connections/nat).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

_PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True, slots=True)
class PortForm:
    """One port in long form."""

    target: int
    published: str
    protocol: str
    host_ip: str


def parse_ports(text: str) -> list[PortForm]:
    """What `text` publishes, in the order of docker compose. ValueError in a user's words."""
    ip, published, target, protocol = _parts(text)
    if not target:
        raise ValueError(f"no port specified: '{text}' names no container port")
    first, last = _range(target, "containerPort")
    if first == 0:
        raise ValueError(f"no port specified: '{text}' has the container port 0")
    if not published:
        return [PortForm(port, "", protocol, ip) for port in _sorted(first, last)]
    low, high = _range(published, "hostPort")
    if last - first != high - low and first != last:
        raise ValueError(f"invalid ranges specified for container and host ports: {target} and {published} differ in length")
    if first == last:
        return [PortForm(first, str(low) if low == high else f"{low}-{high}", protocol, ip)]
    return [PortForm(port, str(low + port - first), protocol, ip) for port in _sorted(first, last)]


def _parts(text: str) -> tuple[str, str, str, str]:
    parts = text.split(":")
    target, slash, protocol = parts[-1].partition("/")
    protocol = protocol.lower() if slash and protocol else "tcp"
    if protocol not in _PROTOCOLS:
        raise ValueError(f"invalid proto: '{protocol}' is none of {', '.join(_PROTOCOLS)}")
    published = parts[-2] if len(parts) > 1 else ""
    ip = ":".join(parts[:-2])
    if ip.startswith("[") and ip.endswith("]"):
        ip = ip[1:-1]
    elif ":" in ip:
        raise ValueError(f"invalid ip address: {ip}: an IPv6 address stands in brackets")
    if ip:
        check_address(ip)
    return ip, published, target, protocol


def check_address(ip: str) -> None:
    """ValueError when `ip` is no IPv4 or IPv6 address."""
    if ip in ("0.0.0.0", "127.0.0.1", "::1", "::"):
        return
    try:
        if "%" in ip:
            raise ValueError("a zone")
        ipaddress.ip_address(ip)
    except ValueError as error:
        raise ValueError(f"invalid ip address: {ip}") from error


def _range(text: str, what: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    low = _port(first, text, what)
    high = _port(last, text, what) if dash else low
    if high < low:
        raise ValueError(f"invalid {what}: {text}: the range runs backwards")
    return low, high


def _port(text: str, whole: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"invalid {what}: '{whole}' is no port number")
    if int(text) > 65535:
        raise ValueError(f"invalid {what}: {whole} is no port: ports end at 65535")
    return int(text)


def _sorted(first: int, last: int) -> list[int]:
    return sorted(range(first, last + 1), key=str)


def check_published(text: str) -> None:
    """ValueError unless `text` is a port, or a range of ports."""
    _range(text, "published port")
