"""What on this machine stands in the way of the containers' network, with the command that mends it.

nftables runs the chains of all tables: an accept in ours does not override a drop in another's (nft(8), "base chains"). So a firewall,
or a dockerd, whose forward chain drops by default also drops what our containers send.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CHAIN = re.compile(r"chain (\S+) \{\s*type filter hook forward [^;]*; policy drop;", re.S)


@dataclass(frozen=True, slots=True)
class Finding:
    """``problem``: one sentence. ``remedy``: a command or what to do."""

    problem: str
    remedy: str


def dropping_chains(listing: str, own: str) -> list[Finding]:
    """The forward chains with policy drop in what `nft list chains` printed; ``own``: our table. Pure."""
    found = []
    for table in re.split(r"^(?=table )", listing, flags=re.M):
        head = re.match(r"table (\S+) (\S+)", table)
        if head is None or head.group(2) == own:
            continue
        family, name = head.groups()
        found += [_finding(family, name, match.group(1), "chain DOCKER-USER" in table) for match in _CHAIN.finditer(table)]
    return found


def legacy_chain() -> list[Finding]:
    """The same for the older iptables, which nft does not list. Runs a program; empty where that kind is not in use."""
    tables = Path("/proc/net/ip_tables_names")
    program = shutil.which("iptables-legacy")
    if program is None or not tables.exists() or "filter" not in tables.read_text().split():
        return []
    done = subprocess.run([program, "-S", "FORWARD"], capture_output=True, text=True, timeout=10, check=False)
    if "-P FORWARD DROP" not in done.stdout:
        return []
    problem = "the chain FORWARD of iptables-legacy drops by default: containers reach nothing"
    return [Finding(problem, f"{program} -I FORWARD -i cmp+ -j ACCEPT && {program} -I FORWARD -o cmp+ -j ACCEPT")]


def _finding(family: str, table: str, chain: str, docker: bool) -> Finding:
    problem = f"the forward chain of another firewall (table {family} {table}, chain {chain}) drops by default: containers reach nothing"
    if docker:
        tool = "ip6tables" if family == "ip6" else "iptables"
        return Finding(problem, f"{tool} -I DOCKER-USER -i cmp+ -j ACCEPT && {tool} -I DOCKER-USER -o cmp+ -j ACCEPT")
    rule = f"nft insert rule {family} {table} {chain}"
    return Finding(problem, f"{rule} iifname 'cmp*' accept && {rule} oifname 'cmp*' accept")
