"""The names of a network: who answers to which name now. Pure; `dns` serves it.

A *member* is an endpoint of a running container; it answers to its container's name, aliases, short id and hostname, each also with the
network's name behind it. Several members behind one name are told in rotating order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Member:
    """``names``: the first one is told for the address (PTR)."""

    container: str
    names: tuple[str, ...]
    ipv4: str = ""
    ipv6: str = ""


@dataclass(slots=True)
class _Entry:
    members: list[Member] = field(default_factory=list)
    turn: int = 0


class Zone:
    """The names of one network, ``name`` being the network's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: dict[str, _Entry] = {}
        self._owners: dict[str, str] = {}  # address -> full name
        self._members: dict[str, Member] = {}

    def add(self, member: Member) -> None:
        """The member answers from now on (in place of what its container was before)."""
        self.remove(member.container)
        self._members[member.container] = member
        for name in self._names(member):
            self._entries.setdefault(name, _Entry()).members.append(member)
        for address in filter(None, (member.ipv4, member.ipv6)):
            self._owners[address] = f"{member.names[0]}.{self.name}"

    def remove(self, container: str) -> None:
        """Missing is fine."""
        member = self._members.pop(container, None)
        if member is None:
            return
        for name in self._names(member):
            entry = self._entries[name]
            entry.members.remove(member)
            if not entry.members:
                del self._entries[name]
        for address in filter(None, (member.ipv4, member.ipv6)):
            self._owners.pop(address, None)

    def _names(self, member: Member) -> Iterable[str]:
        plain = {name.lower().rstrip(".") for name in member.names}
        return plain | {f"{name}.{self.name.lower()}" for name in plain}

    def find(self, name: str, version: int) -> list[str] | None:
        """The addresses of a name (lower case, no final dot), rotated by one each time. None: nobody has the name. []: no such address."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        found = [address for member in entry.members if (address := member.ipv4 if version == 4 else member.ipv6)]
        if len(found) > 1:
            entry.turn = (entry.turn + 1) % len(found)
            found = found[entry.turn :] + found[: entry.turn]
        return found

    def owner(self, address: str) -> str | None:
        """The full name of who has the address."""
        return self._owners.get(address)


def find(zones: Sequence[Zone], name: str, version: int) -> list[str] | None:
    """`Zone.find` over the networks of a container, in their order: the first that knows the name answers."""
    for zone in zones:
        found = zone.find(name, version)
        if found is not None:
            return found
    return None


def owner(zones: Sequence[Zone], reverse: str) -> str | None:
    """The full name behind a reverse name (7.0.18.172.in-addr.arpa, ...ip6.arpa), when one of the networks has it."""
    address = _reversed_address(reverse)
    if address is None:
        return None
    return next((name for zone in zones if (name := zone.owner(address))), None)


def _reversed_address(name: str) -> str | None:
    labels = name.split(".")
    try:
        if name.endswith(".in-addr.arpa") and len(labels) == 6:
            return str(ip_address(".".join(reversed(labels[:4]))))
        if name.endswith(".ip6.arpa") and len(labels) == 34:
            digits = "".join(reversed(labels[:32]))
            return str(ip_address(":".join(digits[i : i + 4] for i in range(0, 32, 4))))
    except ValueError:
        return None
    return None
