"""The ground of the models: one pydantic class, `Spec`, and how a field of it is printed.

A field's *default* says how docker compose prints it: a field that may be None is printed whenever it was set; any other is printed
only when it differs from Go's zero value (False, 0, "", empty). The order of the fields is that of docker compose's own types, because
its config hash depends on it. `Shown` marks values that print differently from what they hold; `HIDDEN` fields are never printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

HIDDEN: dict[str, Any] = {"show": "hidden"}  # json_schema_extra of fields that are ours, not the file's
IN_JSON: dict[str, Any] = {"show": "json"}  # printed in JSON even when unset
ALWAYS: dict[str, Any] = {"show": "both"}  # printed even when unset


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


@dataclass(frozen=True, slots=True)
class Print:
    """How a field is printed. `show`: "", hidden, json, both; `render`: from the value, None: as it is."""

    show: str
    nullable: bool
    render: Callable[[Any], Any] | None


@cache
def printed(model: type[Spec]) -> dict[str, Print]:
    """How the fields of a model are printed, in their order."""
    found: dict[str, Print] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        inner = [mark for part in getattr(field.annotation, "__args__", ()) for mark in getattr(part, "__metadata__", ())]  # of X | None
        render = next((mark.render for mark in (*field.metadata, *inner) if isinstance(mark, Shown)), None)
        nullable = field.default is None and field.default_factory is None
        found[name] = Print(str(extra.get("show", "")) if isinstance(extra, dict) else "", nullable, render)
    return found


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """An error about one value, in the user's words; `convert` finds its place in the file."""
    return PydanticCustomError("spec.value", "{message}", {"message": message, "hint": hint})
