"""`GET /events`."""

from __future__ import annotations

from collections.abc import Sequence

from composer.engine.filters.words import Filters, check, has_label, words
from composer.engine.model import Event

KEYS = words("config container daemon event image label network node plugin scope secret service type volume")


def wanted(filters: Filters | None) -> dict[str, Sequence[str]]:
    """The filters of a subscription. Raises InvalidArgument for a key that is not known."""
    return check(filters, KEYS)


def passes(one: Event, filters: Filters) -> bool:
    """Whether a subscriber with these filters, which `wanted` gave, is told."""
    return all(_passes(one, key, values) for key, values in filters.items())


def _passes(one: Event, key: str, values: Sequence[str]) -> bool:
    attributes = one.actor.attributes
    if key == "type":
        return one.type in values
    if key == "event":
        return any(one.action == value or one.action.startswith(value + ":") for value in values)
    if key == "scope":
        return one.scope in values
    if key == "label":
        return all(has_label(attributes, value) for value in values)
    if key == "image" and one.type == "container":
        image = attributes.get("image", "")
        return image in values or image.rpartition(":")[0] in values
    if key == "daemon":
        return one.type == "daemon"
    return _is(one, key, values)


def _is(one: Event, kind: str, values: Sequence[str]) -> bool:
    """Is it about one of these, by id, beginning of the id, or name? A network's event names the container that came or went, too."""
    container = one.actor.attributes.get("container", "") if kind == "container" else ""
    if one.type != kind and not container:
        return False
    named = {one.actor.id, one.actor.attributes.get("name", "")} if one.type == kind else set()
    idents = [one.actor.id] if one.type == kind else [container]
    return any(value in named or (value and any(ident.startswith(value) for ident in idents)) for value in values)
