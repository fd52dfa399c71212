"""``POST /invocations``, the one endpoint of MLflow's own server."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from predictors.serving.errors import InvalidInputError
from predictors.serving.protocols import parse_object
from predictors.serving.protocols.v1 import rows_to_tensors
from predictors.serving.tensors import Tensor

__all__ = ["answer", "tensors_of"]

_FIELDS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")


def tensors_of(body: bytes) -> list[Tensor]:
    """The rows of a body. Raises `InvalidInputError` naming the field."""
    payload = parse_object(body)
    given = [field for field in _FIELDS if field in payload]
    if len(given) != 1:
        raise InvalidInputError(
            f"The body must have exactly one of {', '.join(_FIELDS)}; "
            f"it has {', '.join(given) or 'none'}."
        )
    [field] = given
    value = payload[field]
    if field == "dataframe_split":
        return rows_to_tensors(_records(value), "dataframe_split.data")
    if field == "inputs" and isinstance(value, dict):
        return [Tensor(name, _array(name, column)) for name, column in value.items()]
    return rows_to_tensors(value, field)


def answer(outputs: list[Tensor]) -> bytes:
    """``{"predictions": ...}``: one output's rows, or of several one object per row."""
    columns = [output.array.tolist() for output in outputs]
    if len(outputs) == 1:
        return orjson.dumps({"predictions": columns[0]})
    names = [output.name for output in outputs]
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=False)]
    return orjson.dumps({"predictions": rows})


def _records(split: Any) -> Any:
    """Rows as lists, or as objects where the columns are named."""
    data = split.get("data") if isinstance(split, dict) else None
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise InvalidInputError("dataframe_split.data must be a list of rows, a list each.")
    columns = split.get("columns")
    if columns is None:
        return data
    if not isinstance(columns, list) or any(len(row) != len(columns) for row in data):
        raise InvalidInputError("dataframe_split.columns must name every value of a row.")
    return [dict(zip(map(str, columns), row, strict=True)) for row in data]


def _array(name: str, column: Any) -> Any:
    try:
        return np.array(column if isinstance(column, list) else [column])
    except ValueError as error:
        raise InvalidInputError(f"inputs.{name} is ragged: {error}.") from error
