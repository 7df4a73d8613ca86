"""Finding networks by reference, and Docker's filters of `network ls` and `network prune`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from composer.engine.errors import Conflict, InvalidArgument, NotFound
from composer.engine.local.state import Table
from composer.engine.model import Network

PREDEFINED = ("bridge", "host", "none")
_KEYS = frozenset({"driver", "id", "label", "name", "scope", "type", "dangling", "until", "label!"})


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


def select(networks: Iterable[Network], filters: Mapping[str, Sequence[str]]) -> list[Network]:
    """Those that pass every filter; the values of one filter are alternatives (of ``label``: all are needed)."""
    for key in filters:
        if key not in _KEYS:
            raise InvalidArgument(f"invalid filter '{key}'")
    return [network for network in networks if all(_passes(network, key, values) for key, values in filters.items() if values)]


def _passes(network: Network, key: str, values: Sequence[str]) -> bool:
    if key == "driver":
        return network.driver in values
    if key == "id":
        return any(network.id.startswith(v) for v in values)
    if key == "name":
        return any(v in network.name for v in values)
    if key == "scope":
        return network.scope in values
    if key == "label":
        return all(_has_label(network.labels, v) for v in values)
    if key == "label!":
        return not any(_has_label(network.labels, v) for v in values)
    if key == "type":
        return _kind(values) == ("builtin" if network.name in PREDEFINED else "custom")
    if key == "dangling":
        return _boolean(values[0]) != bool(network.containers) and network.name not in PREDEFINED
    return True  # until: told by prune


def _kind(values: Sequence[str]) -> str:
    if values[0] not in ("custom", "builtin"):
        raise InvalidArgument(f"invalid filter: 'type'='{values[0]}'")
    return values[0]


def _boolean(text: str) -> bool:
    if text.lower() in ("1", "true"):
        return True
    if text.lower() in ("0", "false"):
        return False
    raise InvalidArgument(f"invalid filter 'dangling=[{text}]'")


def _has_label(labels: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def before(values: Sequence[str], now: float) -> float:
    """The moment (seconds since 1970) that the filter ``until`` names: a number, RFC 3339, or a duration back from now ("24h", "1h30m")."""
    moments = [_moment(text, now) for text in values]
    return min(moments, default=float("inf"))


def _moment(text: str, now: float) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(r"(\d+(\.\d+)?(h|m|s|ms))+", text):
        scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
        return now - sum(float(count) * scale[unit] for count, unit in re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", text))
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise InvalidArgument(f'invalid filter: until "{text}" is no time', hint="write 24h, a Unix time or an RFC 3339 time") from error
