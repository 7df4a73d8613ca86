"""`GET /networks` and `POST /networks/prune`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from composer.engine.filters.words import PREDEFINED, Filters, check, flag, labels_match, name_matches, one_of, words
from composer.engine.model import Network

KEYS = words("dangling driver id label name scope type")
PRUNE_KEYS = words("label label! until")


def select(found: Iterable[Network], filters: Filters | None, *, used: Callable[[str], bool]) -> list[Network]:
    """``used``: whether a network (by id) has containers, running or not; ``dangling`` asks for it. Raises InvalidArgument."""
    wanted = check(filters, KEYS)
    one_of(wanted, "type", ("builtin", "custom"))
    dangling = flag(wanted, "dangling")
    return [
        one
        for one in found
        if all(_TESTS[key](one, values) for key, values in wanted.items() if key in _TESTS)
        and labels_match(one.labels, wanted)
        and (dangling is None or (one.name not in PREDEFINED and used(one.id) is not dangling))
    ]


_TESTS: Mapping[str, Callable[[Network, Sequence[str]], bool]] = {
    "id": lambda one, values: any(one.id.startswith(value) for value in values),
    "name": lambda one, values: name_matches(one.name, values),
    "driver": lambda one, values: one.driver in values,
    "scope": lambda one, values: one.scope in values,
    "type": lambda one, values: ("builtin" if one.name in PREDEFINED else "custom") in values,
}
