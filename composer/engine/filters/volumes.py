"""`GET /volumes` and `POST /volumes/prune`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from composer.engine.filters.words import Filters, check, flag, labels_match, name_matches, words
from composer.engine.model import Volume

KEYS = words("dangling driver label name")
PRUNE_KEYS = words("all label label!")


def select(found: Iterable[Volume], filters: Filters | None, *, used: Callable[[str], bool]) -> list[Volume]:
    """``used``: whether a volume (by name) has containers; ``dangling`` asks for it. Raises InvalidArgument."""
    wanted = check(filters, KEYS)
    dangling = flag(wanted, "dangling")
    return [
        one
        for one in found
        if ("name" not in wanted or any(name_matches(one.name, [value]) or value in one.name for value in wanted["name"]))
        and ("driver" not in wanted or one.driver in wanted["driver"])
        and labels_match(one.labels, wanted)
        and (dangling is None or used(one.name) is not dangling)
    ]
