"""What every kind is made of: a strict, closed model, and the value types of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

__all__ = [
    "INT_OR_STRING_SCHEMA",
    "OPEN_SCHEMA",
    "QUANTITY_PATTERN",
    "IntOrString",
    "Model",
    "Object",
    "Open",
    "Quantity",
    "Strings",
    "atomic",
    "keyed_by",
]

Object = dict[str, Any]
"""A Kubernetes object as JSON."""

Strings = dict[str, str]

OPEN_SCHEMA: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)

INT_OR_STRING_SCHEMA: Object = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}

_is_quantity = re.compile(QUANTITY_PATTERN).match


class Model(BaseModel):
    """A type of the API: camelCase on the wire, no coercion, and an unknown field is a finding."""

    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )

    gone: ClassVar[Mapping[str, str]] = {}
    """Fields that KServe had once, each with what to do instead."""

    def to_object(self) -> Object:
        """Return the JSON form with only what the user gave (and what defaulting added)."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


def _quantity(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError(
            "quantity",
            "must be a quantity such as 500m, 2 or 1Gi, not {given}",
            {"given": repr(value)},
        )
    if _is_quantity(str(value)) is None:
        raise PydanticCustomError(
            "quantity",
            "{given} is not a quantity; write a number with an optional suffix, "
            "such as 500m, 2, 1Gi or 100M",
            {"given": repr(value)},
        )
    # The schemas of other kinds take integers and text only.
    return str(value) if isinstance(value, float) else value


def _int_or_string(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str | None):
        raise PydanticCustomError(
            "int_or_string", "must be an integer or a string, not {given}", {"given": repr(value)}
        )
    return value


Quantity = Annotated[
    Any,
    BeforeValidator(_quantity),
    WithJsonSchema({**INT_OR_STRING_SCHEMA, "pattern": QUANTITY_PATTERN}),
]
"""An amount of a resource: ``500m``, ``2``, ``1Gi``. Kept as it was written, fractions as text."""

IntOrString = Annotated[Any, BeforeValidator(_int_or_string), WithJsonSchema(INT_OR_STRING_SCHEMA)]
"""A port number or name, or a count or percentage. Kept as it was written."""

Open = Annotated[Object, WithJsonSchema(OPEN_SCHEMA)]
"""An object of Kubernetes' own that Rouse passes on and does not look into."""


def keyed_by(*keys: str) -> Any:
    """Mark a list as a map by these fields of its items, for server-side apply."""
    return Field(
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(keys),
        }
    )


def atomic() -> Any:
    """Mark a list as replaced whole by server-side apply."""
    return Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})
