"""The ground of the models: one base class, and the value types that have a written and a printed form.

A field's *default* says how docker compose prints it: a field that may be None is printed whenever it was set; any other is printed
only when it differs from Go's zero value (False, 0, "", empty). The order of the fields is that of docker compose's own types, because
its config hash depends on it. `Shown` marks values that print differently from what they hold; `HIDDEN` fields are never printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from composer.spec.scalars import short_float
from composer.spec.units import format_duration, parse_duration, parse_size

HIDDEN: dict[str, Any] = {"hidden": True}  # json_schema_extra of fields that are ours, not the file's
IN_JSON: dict[str, Any] = {"always": "json"}  # printed in JSON even when unset
ALWAYS: dict[str, Any] = {"always": "both"}  # printed even when unset


class Spec(BaseModel):
    """One object of a stack file in long form. `extensions`: its `x-` attributes."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    extensions: dict[str, Any] = Field(default_factory=dict, json_schema_extra=HIDDEN)

    @model_validator(mode="before")
    @classmethod
    def _set_extensions_aside(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for key in data:
            if key[:2] == "x-":
                kept = {key: value for key, value in data.items() if not key.startswith("x-")}
                kept["extensions"] = {key: value for key, value in data.items() if key.startswith("x-")}
                return kept
        return data


@dataclass(frozen=True, slots=True)
class Shown:
    """How a value is printed in the normal form."""

    render: Callable[[Any], Any]


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """An error about one value, in the user's words; `load` finds its place in the file."""
    return PydanticCustomError("spec.value", "{message}", {"message": message, "hint": hint})


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except ValueError as error:
        raise wrong(str(error), "a number with a unit, such as 10s, 1m30s or 500ms") from error


def _size(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    try:
        return parse_size(str(value))
    except ValueError as error:
        raise wrong(str(error), "a number with a unit, such as 512m, 1.5g or 64kb") from error


def _swap(value: Any) -> Any:
    return -1 if str(value) == "-1" else _size(value)


def _mode(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError as error:
            raise wrong(f"'{value}' is no file mode", "octal permissions, such as 0440") from error
    if isinstance(value, float):
        raise wrong(f"{value} is no file mode", "octal permissions, such as 0440")
    return value


def _cpus(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise wrong(f"'{value}' is no number of CPUs", "a number, such as 0.5 or 2") from error


def _count(value: Any) -> Any:
    return -1 if value == "all" else _whole(value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and abs(value) < 2**63 else value


def _natural(value: Any) -> Any:
    value = _whole(value)
    if isinstance(value, int) and value < 0:
        raise wrong(f"{value} cannot be: it must not be negative")
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        word = value.lower()
        if word not in _FLAGS:
            raise wrong(f"invalid boolean: {value}", "true or false")
        return _FLAGS[word]
    return value


_FLAGS = {**dict.fromkeys(("true", "yes", "y", "on"), True), **dict.fromkeys(("false", "no", "n", "off"), False)}


Duration = Annotated[int, BeforeValidator(_duration), Shown(format_duration)]  # nanoseconds
Size = Annotated[int, BeforeValidator(_size), Shown(str)]  # bytes
SwapSize = Annotated[int, BeforeValidator(_swap), Shown(str)]  # bytes, or -1: no limit
FileMode = Annotated[int, BeforeValidator(_mode), Shown(lambda mode: f"0{mode:o}")]
Fraction = Annotated[float, Shown(short_float)]
Cpus = Annotated[float, BeforeValidator(_cpus), Shown(short_float)]
Whole = Annotated[int, BeforeValidator(_whole)]  # a fraction is cut off, as docker compose does
Natural = Annotated[int, BeforeValidator(_natural)]
Flag = Annotated[bool, BeforeValidator(_flag)]
DeviceCount = Annotated[int, BeforeValidator(_count)]  # -1: all
