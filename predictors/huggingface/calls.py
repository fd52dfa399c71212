"""A request of either protocol as items and parameters, and results as its answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson

from predictors.serving.codecs import content_type_of, decode_input
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Array, Tensor

__all__ = [
    "PROTOCOL",
    "Call",
    "Fields",
    "check_parameters",
    "json_column",
    "text_column",
    "text_of",
]

PROTOCOL: Final = frozenset({"binary_data_output", "content_type", "binary_data", "headers"})
"""Parameters of requests that are the server's, not the task's."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What an item of a task has. The first of `required` is what a bare value stands for.

    `parameters` are the names a request may give beside its items; those in `lists` may be V2
    inputs as well, whose elements are then one list for all items.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All fields of an item."""
        return self.required + self.optional


@dataclass(slots=True)
class Call:
    """`items` are objects of fields; `where` says of each what it is called in errors."""

    items: list[dict[str, Any]]
    where: list[str]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, request: InferenceRequest, fields: Fields, *, media: bool = False) -> Call:
        """The call of a request; with `media` values of V2 stay raw. Raises `InvalidInputError`."""
        if request.payload is not None:
            return _from_v1(request.payload, fields)
        return _from_v2(request, fields, media=media)

    def parts(self) -> list[Call]:
        """A call for each item."""
        return [
            Call([item], [where], self.parameters)
            for item, where in zip(self.items, self.where, strict=True)
        ]

    def switch(self, name: str) -> bool | None:
        """A parameter that is true or false; None if it was not given."""
        value = self.parameters.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidInputError(f"parameters.{name} must be true or false.")
        return value

    def count(self, name: str, default: int) -> int:
        """A parameter that is a number from 1 on."""
        value = self.parameters.get(name, default)
        if type(value) is not int or value < 1:
            raise InvalidInputError(f"parameters.{name} must be an integer, 1 or more.")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """A parameter that is one of some words."""
        value = self.parameters.get(name, default)
        if value not in choices:
            raise InvalidInputError(f"parameters.{name} must be one of {', '.join(choices)}.")
        return str(value)

    def share(self, name: str, default: float) -> float:
        """A parameter that is a number from 0 to 1."""
        value = self.parameters.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InvalidInputError(f"parameters.{name} must be a number from 0 to 1.")
        return float(value)


def text_of(value: object, where: str) -> str:
    """A text that is not empty. Raises `InvalidInputError`."""
    if isinstance(value, bytes):
        raise InvalidInputError(f"{where} is not UTF-8.")
    if not isinstance(value, str):
        raise InvalidInputError(f"{where} is {type(value).__name__}; text is expected.")
    if not value or value.isspace():
        raise InvalidInputError(f"{where} is empty; text is expected.")
    return value


def text_column(values: Sequence[Any]) -> Array:
    """Strings, or equally long lists of them, as a BYTES array."""
    nested = bool(values) and isinstance(values[0], list)
    array: Array = np.empty((len(values), len(values[0])) if nested else len(values), dtype=object)
    array[:] = values
    return array


def json_column(values: Sequence[Any]) -> Array:
    """One document of JSON for each value, as a BYTES array."""
    return text_column(
        [orjson.dumps(v, option=orjson.OPT_SERIALIZE_NUMPY).decode() for v in values]
    )


def _from_v1(payload: object, fields: Fields) -> Call:
    body = payload if isinstance(payload, dict) else {}
    name = "instances" if "instances" in body else "inputs"
    rows = body.get(name)
    if isinstance(rows, str | dict):
        rows = [rows]
    if not isinstance(rows, list):
        raise InvalidInputError('The body must have "instances" (or "inputs"), a list.')
    if not rows:
        raise InvalidInputError(f"{name} is empty; at least one is expected.")
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise InvalidInputError("parameters must be an object.")
    check_parameters(parameters, fields)
    where = [f"{name}[{index}]" for index in range(len(rows))]
    items = [_item(row, fields, label) for row, label in zip(rows, where, strict=True)]
    return Call(items, where, parameters)


def _item(row: object, fields: Fields, where: str) -> dict[str, Any]:
    if not isinstance(row, dict) or set(row) == {"b64"}:
        if len(fields.required) > 1:
            raise InvalidInputError(f"{where} must be an object with {_listed(fields.required)}.")
        return {fields.required[0]: row}
    unknown = [key for key in row if key not in fields.known]
    if unknown:
        raise InvalidInputError(
            f"{where} has {unknown[0]!r}, which is not known. It may have {_listed(fields.known)}."
        )
    missing = [key for key in fields.required if key not in row]
    if missing:
        raise InvalidInputError(f"{where} has no {missing[0]!r}.")
    return row


def _from_v2(request: InferenceRequest, fields: Fields, *, media: bool) -> Call:
    inputs = list(request.inputs)
    parameters = {k: v for k, v in request.parameters.items() if k not in PROTOCOL}
    named: dict[str, list[Any]] = {}
    for tensor in inputs:
        values = _values(tensor, request, media=media)
        name = tensor.name
        if len(inputs) == 1 and len(fields.required) == 1 and name not in fields.known:
            name = fields.required[0]
        if name in fields.lists:
            parameters[name] = values
        elif name not in fields.known:
            raise InvalidInputError(
                f"Input {name} is not known. Inputs are {_listed(fields.known + fields.lists)}."
            )
        else:
            named[name] = values
    check_parameters(parameters, fields)
    missing = [name for name in fields.required if name not in named]
    if missing:
        raise InvalidInputError(f"Input {missing[0]} is missing.")
    count = len(named[fields.required[0]])
    for name, values in named.items():
        if len(values) != count:
            raise InvalidInputError(
                f"Input {name} has {len(values)} elements, {fields.required[0]} has {count}."
            )
    if not count:
        raise InvalidInputError(f"Input {fields.required[0]} is empty.")
    items = [{name: values[index] for name, values in named.items()} for index in range(count)]
    first = inputs[0].name if len(inputs) == 1 else fields.required[0]
    return Call(items, [f"{first}[{index}]" for index in range(count)], parameters)


def _values(tensor: Tensor, request: InferenceRequest, *, media: bool) -> list[Any]:
    """The elements of a tensor, decoded where it says how."""
    told = content_type_of(tensor, request.parameters, None)
    if told is not None and not media:
        decoded = decode_input(tensor, request.parameters)
        return list(decoded.ravel().tolist() if isinstance(decoded, np.ndarray) else decoded)
    elements: list[Any] = tensor.array.ravel().tolist()
    return elements


def check_parameters(parameters: Mapping[str, Any], fields: Fields) -> None:
    """Refuse what a task does not know. Raises `InvalidInputError` naming it."""
    unknown = [name for name in parameters if name not in fields.parameters]
    if unknown:
        raise InvalidInputError(
            f"parameters.{unknown[0]} is not known here. "
            + (f"Known: {_listed(fields.parameters)}." if fields.parameters else "None is.")
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
