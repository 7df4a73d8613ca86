"""`GET /containers/json` and `POST /containers/prune`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from composer.engine.errors import InvalidArgument
from composer.engine.filters.words import Filters, check, labels_match, name_matches, one_of, words
from composer.engine.model import Container

KEYS = words("ancestor before exited expose health id is-task isolation label name network publish since status volume")
PRUNE_KEYS = words("label label! until")
STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_HEALTH = ("none", "starting", "healthy", "unhealthy")


@dataclass(frozen=True)
class Context:
    """What the filters refer to. ``created``: a container's ref -> RFC 3339 (NotFound). ``made_from``: is it made from this image?"""

    created: Callable[[str], str]
    made_from: Callable[[Container, str], bool]


def wanted(filters: Filters | None) -> dict[str, Sequence[str]]:
    """The filters of a list, their keys and values checked: InvalidArgument in Docker's words."""
    found = check(filters, KEYS)
    one_of(found, "status", STATUSES)
    one_of(found, "health", _HEALTH)
    for value in found.get("exited", ()):
        if not value.lstrip("-").isdigit():
            raise InvalidArgument(f"invalid filter 'exited={value}'")
    return found


def stopped_too(filters: Filters) -> bool:
    """Whether a list with these looks at containers that do not run, too, without being asked for all."""
    return any(filters.get(key) for key in ("status", "exited", "before", "since"))


def passes(one: Container, filters: Filters, context: Context) -> bool:
    """Whether it is selected by these filters, which `wanted` gave."""
    return (
        all(one.created < context.created(ref) for ref in filters.get("before", ()))
        and all(one.created > context.created(ref) for ref in filters.get("since", ()))
        and ("ancestor" not in filters or any(context.made_from(one, image) for image in filters["ancestor"]))
        and labels_match(one.config.labels, filters)
        and all(_TESTS[key](one, values) for key, values in filters.items() if key in _TESTS)
    )


def _exited(one: Container, codes: Sequence[str]) -> bool:
    return one.state.status in ("exited", "dead") and str(one.state.exit_code) in codes


def _health(one: Container, states: Sequence[str]) -> bool:
    return (one.state.health.status if one.state.health else "none") in states


def _networks(one: Container, names: Sequence[str]) -> bool:
    return any(
        name in names or (end.network_id and any(end.network_id.startswith(wish) for wish in names))
        for name, end in one.network_settings.networks.items()
    )


def _volumes(one: Container, names: Sequence[str]) -> bool:
    return any(mount.name in names or mount.destination in names or mount.source in names for mount in one.mounts)


def _port(wish: str) -> set[str]:
    numbers, _, protocol = wish.partition("/")
    first, _, last = numbers.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise InvalidArgument(f"invalid port: {wish}")
    return {f"{number}/{protocol or 'tcp'}" for number in range(int(first), int(last or first) + 1)}


def _expose(one: Container, wishes: Sequence[str]) -> bool:
    exposed = set(one.config.exposed_ports) | set(one.network_settings.ports)
    return any(_port(wish) & exposed for wish in wishes)


def _publish(one: Container, wishes: Sequence[str]) -> bool:
    published = {port for port, bindings in one.network_settings.ports.items() if bindings}
    for port, bindings in one.network_settings.ports.items():
        published.update(f"{binding.host_port}/{port.partition('/')[2] or 'tcp'}" for binding in bindings or ())
    return any(_port(wish) & published for wish in wishes)


_TESTS: Mapping[str, Callable[[Container, Sequence[str]], bool]] = {
    "id": lambda one, values: any(one.id.startswith(value) for value in values),
    "name": lambda one, values: name_matches(one.name, values),
    "status": lambda one, values: one.state.status in values,
    "exited": _exited,
    "health": _health,
    "network": _networks,
    "volume": _volumes,
    "expose": _expose,
    "publish": _publish,
    "is-task": lambda one, values: not any(value.lower() in ("1", "true") for value in values),
    "isolation": lambda one, values: "default" in values,
}
