"""The base of the engine's models: frozen values whose JSON is the Docker Engine API's, so one definition is both model and wire format.

In Python a field is ``snake_case``; in JSON it is ``PascalCase`` (or the alias that the field names). ``to_wire`` writes every field,
as dockerd does; ``from_wire`` takes a missing field or ``null`` for the default and ignores what it does not know.
Units are Docker's: times are nanoseconds (int) or RFC 3339 strings, sizes bytes (int).
Source: Docker Engine API v1.47 (api/swagger.yaml of moby).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from composer.engine.errors import InvalidArgument


class Wire(BaseModel):
    """A frozen value with Docker's JSON names."""

    model_config = ConfigDict(frozen=True, alias_generator=to_pascal, populate_by_name=True, extra="ignore", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if value is not None}
        return data

    @classmethod
    def from_wire(cls, data: Any) -> Self:
        """Decode Docker's JSON. Raises InvalidArgument that names the field which does not fit."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or cls.__name__
            raise InvalidArgument(f"invalid value for {where}: {first['msg']}") from error

    def to_wire(self) -> dict[str, Any]:
        """Encode as Docker's JSON (plain dicts, lists, strings, numbers)."""
        return self.model_dump(mode="json", by_alias=True)

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed (values are taken as they are, not validated)."""
        return self.model_copy(update=changes)
