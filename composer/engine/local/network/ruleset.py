"""The engine's own nftables table, rendered whole as text. Pure; `firewall` swaps it in one transaction.

What it does, by chain (netfilter's hooks; FACTS section 3 tried each path):
- ``guard``: nobody on a bridge reaches the host's 127/8, although `route_localnet` is on there (CVE-2020-8558), nor feigns to be it.
- ``dnat_in``, ``dnat_out``: a published port leads to its container, for traffic from elsewhere and from the host itself (127.0.0.1 too;
  ::1 cannot be led by nft and is served by `relay`). One that several containers share has a chain of its own, which takes them in turn.
- ``leave``: outbound NAT of each network; the host's 127/8 into a bridge; a container that calls a published port of its own network.
- ``onward``: members of a network reach each other; published ports are open; an `internal` network has no way in or out; nothing else
  gets into a bridge, from another network or from outside. An accept here does not override another table's drop: see `doctor`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class BridgeRule:
    """A network's bridge. ``talk``: its members may reach each other (Docker's enable_icc)."""

    bridge: str
    subnets: tuple[str, ...] = ()
    internal: bool = False
    masquerade: bool = True
    talk: bool = True


@dataclass(frozen=True, slots=True)
class PortRule:
    """host_ip:host_port of a protocol leads to address:port. ``host_ip`` "0.0.0.0" and "::": any address of the host."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    port: int


def render(table: str, bridges: Iterable[BridgeRule], ports: Iterable[PortRule]) -> str:
    """The transaction that replaces the table; the same rules in, the same text out. Without bridges: only the removal."""
    found = sorted(bridges, key=lambda b: b.bridge)
    head = f"add table inet {table}\ndelete table inet {table}\n"
    if not found:
        return head
    carried = [rule for rule in ports if is_carried(rule)]
    body = (
        _sets(found)
        + _shares(carried)
        + _maps(carried)
        + _guard()
        + _dnat("dnat_in", "prerouting", "dstnat")
        + _dnat("dnat_out", "output", "-100")
    )
    return f"{head}table inet {table} {{\n{body}{_snat(found)}{_forward()}}}\n"


def is_carried(rule: PortRule) -> bool:
    """Whether nft can lead this port: same IP version on both sides, and not the IPv6 loopback."""
    return ip_address(rule.host_ip).version == ip_address(rule.address).version and rule.host_ip != "::1"


def _sets(bridges: Sequence[BridgeRule]) -> str:
    return (
        _set("set", "bridges", "ifname", [f'"{b.bridge}"' for b in bridges])
        + _set("set", "internal", "ifname", [f'"{b.bridge}"' for b in bridges if b.internal])
        + _set("set", "within", "ifname . ifname", [f'"{b.bridge}" . "{b.bridge}"' for b in bridges if b.talk])
    )


def _set(kind: str, name: str, keys: str, elements: Iterable[str]) -> str:
    listed = ", ".join(elements)
    inside = f"elements = {{ {listed} }}\n" if listed else ""
    return f"{kind} {name} {{\ntype {keys}\n{inside}}}\n"


_Key = tuple[str, str, int]  # host address, protocol, host port
_VERSIONS = ((4, "ipv4_addr", "0.0.0.0"), (6, "ipv6_addr", "::"))


def _by_port(ports: Sequence[PortRule], version: int) -> dict[_Key, list[PortRule]]:
    """The rules of each host port, in one order."""
    found: dict[_Key, list[PortRule]] = {}
    for rule in sorted(ports, key=lambda r: (r.host_ip, r.protocol, r.host_port, r.address, r.port)):
        if ip_address(rule.host_ip).version == version:
            found.setdefault((rule.host_ip, rule.protocol, rule.host_port), []).append(rule)
    return found


def _maps(ports: Sequence[PortRule]) -> str:
    texts = []
    for version, kind, anywhere in _VERSIONS:
        rules = [found[0] for found in _by_port(ports, version).values() if len(found) == 1]
        target = f"{kind} . inet_service"
        every = [f"{r.protocol} . {r.host_port} : {r.address} . {r.port}" for r in rules if r.host_ip == anywhere]
        single = [f"{r.host_ip} . {r.protocol} . {r.host_port} : {r.address} . {r.port}" for r in rules if r.host_ip != anywhere]
        texts.append(_set("map", f"any{version}", f"inet_proto . inet_service : {target}", every))
        texts.append(_set("map", f"one{version}", f"{kind} . inet_proto . inet_service : {target}", single))
    return "".join(texts)


def _shares(ports: Sequence[PortRule]) -> str:
    """The chains of shared ports, and the maps that lead to them. A name has the address's bytes, as ``:`` and ``.`` cannot be in it."""
    texts, maps = [], []
    for version, kind, anywhere in _VERSIONS:
        ip = "ip" if version == 4 else "ip6"
        every: list[str] = []
        single: list[str] = []
        for (host, protocol, port), rules in _by_port(ports, version).items():
            if len(rules) == 1:
                continue
            name = f"share_{protocol}_{port}_{ip_address(host).packed.hex()}"
            turns = ", ".join(f"{number} : {rule.address} . {rule.port}" for number, rule in enumerate(rules))
            texts.append(f"chain {name} {{\nmeta l4proto {protocol} dnat {ip} to numgen inc mod {len(rules)} map {{ {turns} }}\n}}\n")
            where = f"{protocol} . {port} : jump {name}"
            (every if host == anywhere else single).append(where if host == anywhere else f"{host} . {where}")
        maps.append(_set("map", f"any_share{version}", "inet_proto . inet_service : verdict", every))
        maps.append(_set("map", f"one_share{version}", f"{kind} . inet_proto . inet_service : verdict", single))
    return "".join(texts + maps)


def _guard() -> str:
    return (
        "chain guard {\ntype filter hook prerouting priority raw; policy accept;\n"
        "iifname @bridges ip daddr 127.0.0.0/8 drop\niifname @bridges ip saddr 127.0.0.0/8 drop\n}\n"
    )


def _dnat(name: str, hook: str, priority: str) -> str:
    lines = []
    for version, ip, which in ((4, "ip", ""), (6, "ip6", "ip6 daddr != ::1 ")):
        start = f"fib daddr type local {which}"
        lines += [
            f"{start}{ip} daddr . meta l4proto . th dport vmap @one_share{version}",
            f"{start}dnat {ip} to {ip} daddr . meta l4proto . th dport map @one{version}",
            f"{start}meta nfproto ipv{version} meta l4proto . th dport vmap @any_share{version}",
            f"{start}dnat {ip} to meta l4proto . th dport map @any{version}",
        ]
    rules = "\n".join(lines)
    return f"chain {name} {{\ntype nat hook {hook} priority {priority}; policy accept;\n{rules}\n}}\n"


def _snat(bridges: Sequence[BridgeRule]) -> str:
    lines = ["ip saddr 127.0.0.0/8 oifname @bridges masquerade"]
    for rule in bridges:
        for subnet in rule.subnets:
            ip = "ip6" if ":" in subnet else "ip"
            lines.append(f"{ip} saddr {subnet} {ip} daddr {subnet} ct status dnat masquerade")
            if rule.masquerade and not rule.internal:
                lines.append(f'{ip} saddr {subnet} oifname != "{rule.bridge}" masquerade')
    return "chain leave {\ntype nat hook postrouting priority srcnat; policy accept;\n" + "\n".join(lines) + "\n}\n"


def _forward() -> str:
    return (
        "chain onward {\ntype filter hook forward priority filter; policy accept;\n"
        "iifname . oifname @within accept\niifname @internal drop\noifname @internal drop\n"
        "oifname @bridges ct state established,related accept\noifname @bridges ct status dnat accept\noifname @bridges drop\n}\n"
    )
