"""What all kinds of objects have in common: keys that are known, labels, names, truth values and moments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from composer.engine.errors import InvalidArgument
from composer.engine.interface import Filters as Filters

PREDEFINED = ("bridge", "host", "none")  # the networks that are always there
_TRUTH = {"1": True, "true": True, "t": True, "0": False, "false": False, "f": False}
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def check(filters: Filters | None, known: frozenset[str]) -> dict[str, Sequence[str]]:
    """The filters that have values. Raises InvalidArgument for a key that this kind of object does not know."""
    found = {key: values for key, values in (filters or {}).items() if values}
    for key in found:
        if key not in known:
            raise InvalidArgument(f"invalid filter '{key}'", hint=f"known here: {', '.join(sorted(known))}")
    return found


def one_of(filters: Filters, key: str, known: Iterable[str]) -> None:
    """Raises InvalidArgument for a value that the filter ``key`` cannot have."""
    for value in filters.get(key, ()):
        if value not in known:
            raise InvalidArgument(f"invalid filter '{key}={value}'", hint=f"one of: {', '.join(known)}")


def flag(filters: Filters, key: str) -> bool | None:
    """A filter that is true or false; None when it is absent. Raises InvalidArgument for another value."""
    values = filters.get(key)
    if not values:
        return None
    answers = {_TRUTH.get(value.lower()) for value in values}
    if len(answers) != 1 or None in answers:
        raise InvalidArgument(f"invalid filter '{key}={values[0]}'")
    return answers.pop()


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """``wanted``: ``key``, or ``key=value``."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def labels_match(labels: Mapping[str, str], filters: Filters) -> bool:
    """All of ``label`` hold, and none of ``label!``."""
    wanted, unwanted = filters.get("label", ()), filters.get("label!", ())
    return all(has_label(labels, one) for one in wanted) and not any(has_label(labels, one) for one in unwanted)


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


def before(filters: Filters, now: float) -> float:
    """The moment (seconds since 1970) that the filter ``until`` names; infinity when it is absent. Raises InvalidArgument."""
    return min((_moment(text, now) for text in filters.get("until", ())), default=float("inf"))


def _moment(text: str, now: float) -> float:
    """Docker's times: seconds since 1970, a duration ago ("10m", "1h30m"), or RFC 3339, its time or zone left out."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(f"({_DURATION.pattern})+", text):
        return now - sum(float(count) * _UNITS[unit] for count, unit in _DURATION.findall(text))
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(
            f'invalid filter: until "{text}" is no time', hint="as 10m, 1h30m, 2024-01-31T10:00:00Z or seconds since 1970"
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
