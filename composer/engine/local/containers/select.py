"""Docker's filters of `GET /containers/json` on containers as they are shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from composer.engine.errors import InvalidArgument
from composer.engine.model import Container

STATUSES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_HEALTH = ("none", "starting", "healthy", "unhealthy")
_KNOWN = frozenset(
    {"id", "name", "label", "label!", "status", "health", "ancestor", "network", "volume"}
    | {"before", "since", "exited", "is-task", "publish", "expose", "isolation", "until"}
)

Filters = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Context:
    """What the filters refer to. ``created``: container ref -> RFC 3339, NotFound. ``images``: ancestor -> ids of images made from it."""

    created: Callable[[str], str]
    images: Callable[[str], frozenset[str]]


def check(filters: Filters) -> None:
    """InvalidArgument in Docker's words."""
    for key, values in filters.items():
        if key not in _KNOWN:
            raise InvalidArgument(f"invalid filter '{key}'")
        for value in values:
            if key == "status" and value not in STATUSES:
                raise InvalidArgument(f"invalid filter 'status={value}'")
            if key == "health" and value not in _HEALTH:
                raise InvalidArgument(f"invalid filter 'health={value}'")
            if key == "exited" and not value.lstrip("-").isdigit():
                raise InvalidArgument(f"invalid filter 'exited={value}'")


def selected(container: Container, filters: Filters, context: Context) -> bool:
    return all(_passes(container, key, values, context) for key, values in filters.items() if values)


def _passes(container: Container, key: str, values: Sequence[str], context: Context) -> bool:
    if key in _TESTS:
        return any(_TESTS[key](container, value) for value in values)
    if key == "label":
        return all(has_label(container.config.labels, value) for value in values)
    if key == "label!":
        return not any(has_label(container.config.labels, value) for value in values)
    if key == "ancestor":
        return any(container.image in context.images(value) for value in values)
    if key == "before":
        return all(container.created < context.created(value) for value in values)
    if key == "since":
        return all(container.created > context.created(value) for value in values)
    return True  # is-task (there are none but false), isolation, until (of prune)


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """``wanted``: "name", or "name=value"."""
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def _name(container: Container, value: str) -> bool:
    try:
        return re.search(value, container.name) is not None or re.search(value, container.name[1:]) is not None
    except re.error as error:
        raise InvalidArgument(f"invalid filter 'name={value}': {error}") from error


def _health(container: Container, value: str) -> bool:
    return (container.state.health.status if container.state.health else "none") == value


def _network(container: Container, value: str) -> bool:
    return any(
        name == value or (e.network_id and e.network_id.startswith(value)) for name, e in container.network_settings.networks.items()
    )


def _volume(container: Container, value: str) -> bool:
    return any(value in (m.name, m.destination, m.source) for m in container.mounts)


def _exited(container: Container, value: str) -> bool:
    return container.state.status == "exited" and container.state.exit_code == int(value)


def _published(container: Container, value: str) -> bool:
    wanted, _, protocol = value.partition("/")
    low, _, high = wanted.partition("-")
    for port, bindings in container.network_settings.ports.items():
        number, _, kind = port.partition("/")
        if kind != (protocol or "tcp"):
            continue
        found = [b.host_port for b in bindings or ()] + [number]
        if any(n.isdigit() and int(low) <= int(n) <= int(high or low) for n in found):
            return bool(bindings)
    return False


def _exposed(container: Container, value: str) -> bool:
    wanted, _, protocol = value.partition("/")
    low, _, high = wanted.partition("-")
    return any(
        int(low) <= int(port.partition("/")[0]) <= int(high or low) and port.partition("/")[2] == (protocol or "tcp")
        for port in container.config.exposed_ports
    )


_TESTS: Mapping[str, Callable[[Container, str], bool]] = {
    "id": lambda c, value: c.id.startswith(value),
    "name": _name,
    "status": lambda c, value: c.state.status == value,
    "health": _health,
    "network": _network,
    "volume": _volume,
    "exited": _exited,
    "publish": _published,
    "expose": _exposed,
    "is-task": lambda c, value: value.lower() in ("false", "0"),
}
