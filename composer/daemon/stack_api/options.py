"""The options of a verb: the CLI's flags as JSON, read by type. A missing one has its zero value; a wrong one is InvalidArgument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composer.engine.errors import InvalidArgument


class Options:
    """``options.flag("build")``, ``options.names("services")``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def given(self, name: str) -> bool:
        return self._values.get(name) is not None

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise InvalidArgument(f"option {name} must be true or false")

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value or ""
        raise InvalidArgument(f"option {name} must be a string")

    def number(self, name: str) -> int | None:
        """None when it is not given."""
        value = self._values.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, str) and value.lstrip("-").isdigit():
            return int(value)
        raise InvalidArgument(f"option {name} must be a whole number")

    def seconds(self, name: str) -> float | None:
        """A number of seconds, None when it is not given."""
        value = self._values.get(name)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise InvalidArgument(f"option {name} must be a number of seconds")

    def names(self, name: str) -> tuple[str, ...]:
        """A list of strings; one string is a list of one."""
        value = self._values.get(name)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise InvalidArgument(f"option {name} must be a list of strings")

    def counts(self, name: str) -> dict[str, int]:
        """{"web": 3}, or ["web=3"] as on the command line."""
        value = self._values.get(name)
        pairs = list(value.items()) if isinstance(value, dict) else [tuple(item.split("=", 1)) for item in self.names(name)]
        found: dict[str, int] = {}
        for pair in pairs:
            if len(pair) != 2 or not str(pair[1]).isdigit():
                raise InvalidArgument(f"option {name}: {'='.join(map(str, pair))!r} is not SERVICE=NUMBER")
            found[str(pair[0])] = int(pair[1])
        return found

    def strings(self, name: str) -> dict[str, str]:
        """{"A": "1"}, or ["A=1"]."""
        value = self._values.get(name)
        if isinstance(value, dict):
            return {str(key): str(item) for key, item in value.items()}
        return {key: text for key, _, text in (item.partition("=") for item in self.names(name))}
