"""Docker's filters, pure: which containers, networks, volumes, images and events a `Filters` mapping selects.

Words: values of one key are alternatives (any), keys add up (all); ``label`` is the exception, all its values must hold.
Source: moby daemon/list.go, daemon/network/filter.go, volume/service/convert.go, daemon/events/filter.go; API v1.47.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from composer.engine.errors import InvalidArgument
from composer.engine.model import Container, Event, ImageSummary, Network, Volume

Filters = Mapping[str, Sequence[str]]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONTAINER_KEYS = _words("ancestor before exited expose health id is-task isolation label name network publish since status volume")
NETWORK_KEYS = _words("dangling driver id label name scope type")
VOLUME_KEYS = _words("dangling driver label name")
IMAGE_KEYS = _words("before dangling label reference since until")
EVENT_KEYS = _words("config container daemon event image label network node plugin scope secret service type volume")
STATUSES = _words("created running paused restarting removing exited dead")
PREDEFINED = ("bridge", "host", "none")


def check(filters: Filters | None, known: frozenset[str]) -> dict[str, Sequence[str]]:
    """The filters that have values. Raises InvalidArgument for a key that this kind of object does not know."""
    found = {key: values for key, values in (filters or {}).items() if values}
    for key in found:
        if key not in known:
            raise InvalidArgument(f"invalid filter '{key}'", hint=f"known here: {', '.join(sorted(known))}")
    return found


def flag(filters: Mapping[str, Sequence[str]], key: str) -> bool | None:
    """A filter that is true or false; None when it is absent. Raises InvalidArgument for another value."""
    values = filters.get(key)
    if not values:
        return None
    words = {"1": True, "true": True, "t": True, "0": False, "false": False, "f": False}
    answers = {words.get(value.lower()) for value in values}
    if len(answers) != 1 or None in answers:
        raise InvalidArgument(f"invalid filter '{key}={values[0]}'")
    return answers.pop()


def labels_match(labels: Mapping[str, str], wanted: Iterable[str]) -> bool:
    """True when every ``key`` or ``key=value`` of ``wanted`` holds."""
    for item in wanted:
        key, equals, value = item.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def name_matches(name: str, patterns: Iterable[str]) -> bool:
    """Docker's ``name`` filter: equal, or found as a regular expression, with or without the leading slash."""
    bare = name.removeprefix("/")
    for pattern in patterns:
        if pattern in (name, bare):
            return True
        try:
            expression = re.compile(pattern)
        except re.error:
            continue
        if expression.search(bare) or expression.search("/" + bare):
            return True
    return False


def containers(found: Sequence[Container], filters: Filters | None, *, resolve: Callable[[str], Container]) -> list[Container]:
    """The containers that match, in their order. ``resolve`` finds the one that ``before`` and ``since`` name (NotFound)."""
    wanted = check(filters, CONTAINER_KEYS)
    for status in wanted.get("status", ()):
        if status not in STATUSES:
            raise InvalidArgument(f"invalid filter 'status={status}'")
    before = [resolve(ref).created for ref in wanted.get("before", ())]
    since = [resolve(ref).created for ref in wanted.get("since", ())]
    return [
        one
        for one in found
        if all(one.created < time for time in before)
        and all(one.created > time for time in since)
        and all(_CONTAINER[key](one, values) for key, values in wanted.items() if key in _CONTAINER)
    ]


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


def _ancestor(one: Container, images: Sequence[str]) -> bool:
    named = {one.config.image, one.config.image.removesuffix(":latest"), one.image}
    return any(image in named or one.image.removeprefix("sha256:").startswith(image.removeprefix("sha256:")) for image in images)


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
    ports = one.network_settings.ports
    published = {
        f"{binding.host_port}/{port.partition('/')[2] or 'tcp'}" for port, bindings in ports.items() for binding in bindings or ()
    } | {port for port, bindings in ports.items() if bindings}
    return any(_port(wish) & published for wish in wishes)


_CONTAINER: Mapping[str, Callable[[Container, Sequence[str]], bool]] = {
    "id": lambda one, values: any(one.id.startswith(value) for value in values),
    "name": lambda one, values: name_matches(one.name, values),
    "label": lambda one, values: labels_match(one.config.labels, values),
    "status": lambda one, values: one.state.status in values,
    "exited": _exited,
    "health": _health,
    "network": _networks,
    "volume": _volumes,
    "ancestor": _ancestor,
    "expose": _expose,
    "publish": _publish,
    "is-task": lambda one, values: not any(value.lower() in ("1", "true") for value in values),
    "isolation": lambda one, values: "default" in values,
}


def networks(found: Sequence[Network], filters: Filters | None, *, used: Callable[[str], bool]) -> list[Network]:
    """``used``: whether a network (by id) has containers, running or not; ``dangling`` asks for it."""
    wanted = check(filters, NETWORK_KEYS)
    dangling = flag(wanted, "dangling")
    return [
        one
        for one in found
        if all(_NETWORK[key](one, values) for key, values in wanted.items() if key in _NETWORK)
        and (dangling is None or (one.name not in PREDEFINED and used(one.id) is not dangling))
    ]


_NETWORK: Mapping[str, Callable[[Network, Sequence[str]], bool]] = {
    "id": lambda one, values: any(one.id.startswith(value) for value in values),
    "name": lambda one, values: name_matches(one.name, values),
    "driver": lambda one, values: one.driver in values,
    "scope": lambda one, values: one.scope in values,
    "type": lambda one, values: ("builtin" if one.name in PREDEFINED else "custom") in values,
    "label": lambda one, values: labels_match(one.labels, values),
}


def volumes(found: Sequence[Volume], filters: Filters | None, *, used: Callable[[str], bool]) -> list[Volume]:
    """``used``: whether a volume (by name) has containers; ``dangling`` asks for it."""
    wanted = check(filters, VOLUME_KEYS)
    dangling = flag(wanted, "dangling")
    return [
        one
        for one in found
        if ("name" not in wanted or any(name_matches(one.name, [value]) or value in one.name for value in wanted["name"]))
        and ("driver" not in wanted or one.driver in wanted["driver"])
        and labels_match(one.labels, wanted.get("label", ()))
        and (dangling is None or used(one.name) is not dangling)
    ]


def images(found: Sequence[ImageSummary], filters: Filters | None, *, created: Callable[[str], int]) -> list[ImageSummary]:
    """``created``: when the image that ``before`` or ``since`` names was made, in seconds (NotFound)."""
    wanted = check(filters, IMAGE_KEYS)
    dangling = flag(wanted, "dangling")
    before = [created(ref) for ref in wanted.get("before", ())]
    since = [created(ref) for ref in wanted.get("since", ())]
    return [
        one
        for one in found
        if (dangling is None or (not one.repo_tags) is dangling)
        and all(one.created < time for time in before)
        and all(one.created > time for time in since)
        and labels_match(one.labels, wanted.get("label", ()))
        and ("reference" not in wanted or any(reference_matches(tag, wanted["reference"]) for tag in one.repo_tags))
    ]


def reference_matches(tag: str, patterns: Sequence[str]) -> bool:
    """Docker's ``reference`` filter: a shell pattern on ``name:tag`` or on ``name``; ``*`` stops at a slash."""
    name = tag.rpartition(":")[0]
    for pattern in patterns:
        expression = re.compile("".join(_glob(part) for part in re.findall(r"\[[^\]]*\]|.", pattern)))
        if expression.fullmatch(tag) or expression.fullmatch(name):
            return True
    return False


def _glob(part: str) -> str:
    if part == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    return part if len(part) > 1 else re.escape(part)


def event(one: Event, filters: Filters | None) -> bool:
    """Whether a subscriber with these filters is told."""
    wanted = check(filters, EVENT_KEYS)
    return all(_event(one, key, values) for key, values in wanted.items())


def _event(one: Event, key: str, values: Sequence[str]) -> bool:
    attributes = one.actor.attributes
    if key == "type":
        return one.type in values
    if key == "event":
        return any(one.action == value or one.action.startswith(value + ":") for value in values)
    if key == "scope":
        return one.scope in values
    if key == "label":
        return labels_match(attributes, values)
    if key == "image" and one.type == "container":
        image = attributes.get("image", "")
        return image in values or image.rpartition(":")[0] in values
    if key == "daemon":
        return one.type == "daemon"
    if one.type != key and not (key == "container" and "container" in attributes):
        return False
    named = {one.actor.id, attributes.get("name", ""), attributes.get("container", "") if key == "container" else ""}
    return any(value in named or (value and one.actor.id.startswith(value)) for value in values)
