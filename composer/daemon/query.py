"""What a request's query string says, read as dockerd reads it.

Source: moby api/server/httputils/form.go (bools, integers), api/types/filters (both JSON forms), api/types/time (timestamps).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from composer.engine.errors import InvalidArgument

_FALSE = frozenset(("", "0", "no", "false", "none"))
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Query:
    """The parameters by name; a name may come several times."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))

    def flag(self, name: str, default: bool = False) -> bool:
        """Docker's bool: anything but "", 0, no, false, none is true."""
        return default if name not in self._values else self.text(name).strip().lower() not in _FALSE

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Raises InvalidArgument when it is there and no whole number."""
        text = self.text(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError as error:
            raise InvalidArgument(f"invalid value for {name}: {text!r} is not a number") from error

    def time(self, name: str, now: float) -> float:
        """Seconds since 1970: "1136073600.5", RFC 3339, a date, or a duration ("10m") before ``now``; 0.0 when absent."""
        return moment(self.text(name), now, name)

    def json(self, name: str) -> object:
        """The parameter decoded; None when absent or empty."""
        text = self.text(name)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise InvalidArgument(f"invalid value for {name}: {error}") from error

    def filters(self, name: str = "filters") -> dict[str, list[str]]:
        """{"label": ["a=b"]}, or Docker's other form {"label": {"a=b": true}}."""
        found = self.json(name)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise InvalidArgument("invalid filter: it must be a JSON object")
        return {str(key): _values(str(key), value) for key, value in found.items()}


def _values(key: str, value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [str(word) for word, chosen in value.items() if chosen]
    if isinstance(value, list):
        return [str(word) for word in value]
    raise InvalidArgument(f"invalid filter '{key}'")


def moment(text: str, now: float, name: str = "time") -> float:
    """See `Query.time`. Raises InvalidArgument."""
    if not text or text == "0":
        return 0.0
    try:
        return float(text)
    except ValueError:
        pass
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return now - sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        when = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError as error:
        raise InvalidArgument(f"invalid value for {name}: failed to parse {text!r} as a time") from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
