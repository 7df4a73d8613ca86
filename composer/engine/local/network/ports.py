"""Host ports: every published port is also bound in the daemon, so that one that is taken is found, and nobody takes it later.

A *claim* is a bound socket with its owners: one container, or several of a group (see `traffic`). nft leads the traffic; what reaches the
socket all the same (``[::1]``, IPv6 to a container without IPv6, a flushed table) is copied by `relay`. Words of refusals are dockerd's.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from composer.engine.errors import EngineError, InvalidArgument, Unsupported
from composer.engine.local.network.model import Ports, PublishedPort
from composer.engine.local.network.relay import Relay, Target
from composer.engine.model import PortBinding

_TRIES = 20  # random ports tried until one is free for IPv4 and IPv6
_Key = tuple[str, str, int]  # protocol, address, port


@dataclass(frozen=True, slots=True)
class PortWish:
    """A container port and where it is to be published. ``low``..``high``: the host ports to choose from, 0 = any."""

    protocol: str
    port: int
    host_ip: str
    low: int
    high: int


def wishes(bindings: Mapping[str, Sequence[PortBinding] | None], exposed: Iterable[str], *, publish_all: bool) -> list[PortWish]:
    """What is to be published. InvalidArgument for what is no port, Unsupported for SCTP."""
    found: dict[PortWish, None] = {}
    for text, wanted in bindings.items():
        port, protocol = parse_port(text)
        for binding in wanted or ():
            low, high = _range(binding.host_port)
            found[PortWish(protocol, port, _host_ip(binding.host_ip), low, high)] = None
    if publish_all:
        for text in exposed:
            port, protocol = parse_port(text)
            if not bindings.get(text):
                found[PortWish(protocol, port, "", 0, 0)] = None
    return list(found)


def parse_port(text: str) -> tuple[int, str]:
    """(80, "tcp") of "80/tcp" or "80"."""
    number, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol == "sctp":
        raise Unsupported("publishing SCTP ports is not supported", hint="publish tcp or udp")
    if protocol not in ("tcp", "udp") or not number.isdecimal() or not 0 < int(number) < 65536:
        raise InvalidArgument(f'invalid port specification: "{text}"')
    return int(number), protocol


def _range(text: str) -> tuple[int, int]:
    if not text or text == "0":
        return 0, 0
    low, _, high = text.partition("-")
    high = high or low
    if not (low.isdecimal() and high.isdecimal() and 0 < int(low) <= int(high) < 65536):
        raise InvalidArgument(f'invalid port specification: "{text}"')
    return int(low), int(high)


def _host_ip(text: str) -> str:
    if not text:
        return ""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {text}") from error


def shown(published: Iterable[PublishedPort], exposed: Iterable[str]) -> Ports:
    """As `inspect` shows them: what is exposed without being published is None."""
    ports: dict[str, tuple[PortBinding, ...] | None] = {text if "/" in text else f"{text}/tcp": None for text in exposed}
    for one in published:
        key = f"{one.port}/{one.protocol}"
        ports[key] = (*(ports.get(key) or ()), PortBinding(host_ip=one.host_ip, host_port=str(one.host_port)))
    return ports


@dataclass
class _Claim:
    """``owners``: container -> where the port leads; ``group`` "": nobody else gets in. ``turn``: of whom the next connection is."""

    group: str
    relay: Relay | None = None
    owners: dict[str, Target] = field(default_factory=dict)
    turn: int = 0

    def next(self, carrying: Callable[[str], bool]) -> Target | None:
        found = [target for owner, target in self.owners.items() if carrying(owner)]
        self.turn += 1
        return found[self.turn % len(found)] if found else None


class HostPorts:
    """All claims of this engine. ``carries``: whether connections are to be led to a container now."""

    def __init__(self, carries: Callable[[str], bool]) -> None:
        self._claims: dict[_Key, _Claim] = {}
        self._owned: dict[str, list[_Key]] = {}
        self._ipv6 = _has_ipv6()
        self._carries = carries

    def claim(self, owner: str, endpoint: str, wanted: Sequence[PortWish], address: str, *, group: str = "") -> tuple[PublishedPort, ...]:
        """Bind all, or none. ``endpoint``: its words in an error; ``address``: the container's, to which the sockets lead."""
        published: list[PublishedPort] = []
        try:
            for wish in wanted:
                published += self._claim_wish(owner, endpoint, wish, address, group)
        except BaseException:
            self.release(owner)
            raise
        return tuple(published)

    def restore(self, owner: str, published: Iterable[PublishedPort], address: str, *, group: str = "") -> list[str]:
        """Bind again what was published before the daemon restarted; what could not be bound is told (nft leads it all the same)."""
        problems = []
        for one in published:
            try:
                self._take(owner, group, one.protocol, one.port, one.host_ip, one.host_port, address)
            except OSError as error:
                problems.append(f"{one.host_ip}:{one.host_port}/{one.protocol}: {error.strerror}")
        return problems

    def regroup(self, owner: str, group: str) -> None:
        """What it holds may be held by others of the group from now on."""
        for key in self._owned.get(owner, ()):
            self._claims[key].group = group

    def turn_away(self, owner: str) -> None:
        """Its UDP clients come to another owner with their next datagram; TCP connections stay."""
        for key in self._owned.get(owner, ()):
            claim = self._claims[key]
            if claim.relay is not None:
                claim.relay.forget(claim.owners[owner])

    def release(self, owner: str) -> None:
        """Give all claims of a container back. None: fine."""
        self.turn_away(owner)
        for key in self._owned.pop(owner, ()):
            self._let_go(owner, key)

    def _let_go(self, owner: str, key: _Key) -> None:
        claim = self._claims[key]
        del claim.owners[owner]
        if not claim.owners:
            del self._claims[key]
            if claim.relay is not None:
                claim.relay.close()

    def close(self) -> None:
        for owner in list(self._owned):
            self.release(owner)

    def _claim_wish(self, owner: str, endpoint: str, wish: PortWish, address: str, group: str) -> list[PublishedPort]:
        hosts = [wish.host_ip] if wish.host_ip else ["0.0.0.0", "::"] if self._ipv6 else ["0.0.0.0"]
        tries = [0] * _TRIES if wish.low == 0 else list(range(wish.low, wish.high + 1))
        shared = group if wish.low and wish.low == wish.high else ""  # of a range each takes its own
        for last, port in zip(reversed(range(len(tries))), tries, strict=True):
            taken: list[tuple[str, int]] = []
            try:
                for host in hosts:
                    port = self._take(owner, shared, wish.protocol, wish.port, host, port, address)
                    taken.append((host, port))
            except OSError as error:
                for host, number in taken:
                    key = (wish.protocol, host, number)
                    self._owned[owner].remove(key)
                    self._let_go(owner, key)
                if last == 0 or error.errno != errno.EADDRINUSE:
                    raise self._refusal(endpoint, wish, hosts[len(taken)], port, address, error) from error
            else:
                return [PublishedPort(protocol=wish.protocol, port=wish.port, host_ip=h, host_port=n) for h, n in taken]
        raise AssertionError("unreachable: the last try either returns or raises")

    def _take(self, owner: str, group: str, protocol: str, target: int, host: str, port: int, address: str) -> int:
        """Join the group's claim, or bind. OSError."""
        claim = self._claims.get((protocol, host, port))
        if claim is None or not group or claim.group != group or owner in claim.owners:
            one = _bound(protocol, host, port)
            port = one.getsockname()[1]
            claim = self._claims[protocol, host, port] = fresh = _Claim(group)
            fresh.relay = Relay(one, protocol, lambda: fresh.next(self._carries))
        claim.owners[owner] = (address, target)
        self._owned.setdefault(owner, []).append((protocol, host, port))
        return port

    def _refusal(self, endpoint: str, wish: PortWish, host: str, port: int, address: str, error: OSError) -> EngineError:
        shown_host = f"[{host}]" if ":" in host else host
        start = f"driver failed programming external connectivity on endpoint {endpoint}: "
        if error.errno == errno.EADDRINUSE and self._is_ours(wish.protocol, host, port):
            return EngineError(f"{start}Bind for {shown_host}:{port} failed: port is already allocated")
        reason = {errno.EADDRINUSE: "address already in use", errno.EADDRNOTAVAIL: "cannot assign requested address"}
        words = reason.get(error.errno or 0) or os.strerror(error.errno or 0).lower()
        return EngineError(
            f"{start}failed to bind host port for {shown_host}:{port}:{address}:{wish.port}/{wish.protocol}: {words}",
            hint=f"ss -lnp 'sport = {port}' shows who holds it" if error.errno == errno.EADDRINUSE else None,
        )

    def _is_ours(self, protocol: str, host: str, port: int) -> bool:
        anywhere = ("0.0.0.0", "::")
        return any(p == protocol and n == port and (h == host or host in anywhere or h in anywhere) for p, h, n in self._claims)


def _bound(protocol: str, host: str, port: int) -> socket.socket:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, port))
        if protocol == "tcp":
            one.listen(128)
    except BaseException:
        one.close()
        raise
    return one


def _has_ipv6() -> bool:
    try:
        _bound("tcp", "::1", 0).close()
    except OSError:
        return False
    return True


def with_host_ip(wish: PortWish, host_ip: str) -> PortWish:
    """The wish at the network's own default host address."""
    return replace(wish, host_ip=host_ip)
