"""docker run's -p and --expose: ``[IP:][HOST[-HOST]:]CONTAINER[-CONTAINER][/PROTOCOL]`` (go-connections/nat)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def publish(published: Iterable[str], exposed: Iterable[str]) -> tuple[dict[str, dict[str, str]], dict[str, list[dict[str, str]]]]:
    """ExposedPorts and PortBindings. Raises ValueError."""
    ports: dict[str, dict[str, str]] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for text in published:
        for inside, binding in _published(text):
            ports[inside] = {}
            bindings.setdefault(inside, []).append(binding)
    for text in exposed:
        span, protocol = _protocol(text)
        for number in _span(span, text):
            ports[f"{number}/{protocol}"] = {}
    return ports, bindings


def _published(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    spec = text
    if "=" in text:
        long: dict[str, Any] = dict(pair.split("=", 1) for pair in text.split(","))
        spec = f"{long.get('host_ip', '')}:{long.get('published', '')}:{long['target']}/{long.get('protocol', 'tcp')}"
    body, protocol = _protocol(spec)
    head, _, inside = body.rpartition(":")
    address, colon, outside = head.rpartition(":")
    if not colon:
        address, outside = ("", head)
    numbers = _span(inside, text)
    hosts = _span(outside, text) if outside else []
    if hosts and len(hosts) != len(numbers) and len(numbers) != 1:
        raise ValueError(f"invalid publish opts format: ranges differ in length in '{text}'")
    address = address.strip("[]")
    for position, number in enumerate(numbers):
        host = outside if len(numbers) == 1 else str(hosts[position]) if hosts else ""
        yield f"{number}/{protocol}", {"HostIp": address, "HostPort": host}


def _protocol(text: str) -> tuple[str, str]:
    body, _, protocol = text.partition("/")
    if protocol and protocol not in ("tcp", "udp", "sctp"):
        raise ValueError(f"invalid proto: {protocol}")
    return body, protocol or "tcp"


def _span(text: str, whole: str) -> list[int]:
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise ValueError(f"invalid containerPort: {text or whole}")
    low, high = int(first), int(last or first)
    if not 0 < low <= high <= 65535:
        raise ValueError(f"invalid range of ports: {text}")
    return list(range(low, high + 1))
