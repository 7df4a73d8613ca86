"""Which network a user means."""

from __future__ import annotations

from collections.abc import Mapping

from composer.engine.errors import Conflict, NotFound
from composer.engine.local.state import Table
from composer.engine.model import Network


def find(networks: Table[Network], by_name: Mapping[str, str], ref: str) -> Network:
    """By id, name, or unambiguous prefix of the id. NotFound, Conflict."""
    known = networks.get(ref) or networks.get(by_name.get(ref, ""))
    if known is not None:
        return known
    found = [network for network in networks if ref and network.id.startswith(ref)]
    if len(found) > 1:
        raise Conflict(f"network {ref} is ambiguous ({len(found)} matches found on ID prefix)")
    if not found:
        raise NotFound(f"network {ref} not found")
    return found[0]
