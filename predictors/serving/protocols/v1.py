"""KServe's V1 protocol: ``{"instances": rows}`` in, ``{"predictions": rows}`` out."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import orjson

from predictors.serving.dataplane import infer
from predictors.serving.errors import InvalidInputError
from predictors.serving.model import Model
from predictors.serving.protocols import Answer, parse_object
from predictors.serving.tensors import MAX_DIMENSIONS, Array, Tensor

__all__ = ["predict", "rows_to_tensors"]

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def predict(model: Model, body: bytes) -> Answer:
    """Answer ``POST /v1/models/M:predict``. Raises `RequestError`."""
    started = perf_counter()
    payload = parse_object(body)
    field = "instances" if "instances" in payload else "inputs"
    inputs = rows_to_tensors(payload.get(field), field)
    decoded = perf_counter()
    outputs = infer(model, inputs)
    predicted = perf_counter()
    encoded = orjson.dumps({"predictions": _plain(outputs)}, option=_OPTIONS)
    return Answer(encoded, decoded - started, predicted - decoded, perf_counter() - predicted)


def rows_to_tensors(rows: object, field: str) -> list[Tensor]:
    """Rows as one tensor; rows that are objects as one tensor per column.

    Numbers stay numbers beside strings: such rows become an object array. null becomes NaN where
    all else is numbers. Raises `InvalidInputError` naming the first row that does not fit.
    """
    if not isinstance(rows, list):
        raise InvalidInputError('The body must have "instances" (or "inputs"), a list of rows.')
    if not rows:
        raise InvalidInputError(f"{field} is empty; at least one row is expected.")
    if isinstance(rows[0], dict):
        return _columns(rows, field)
    return [Tensor(field, _array(rows, field))]


def _array(rows: list[Any], field: str) -> Array:
    try:
        array: Array = np.array(rows)
    except (ValueError, OverflowError):
        raise InvalidInputError(_first_misfit(rows, field)) from None
    if array.dtype.kind in "biuf":
        return array
    array = np.array(rows, dtype=object)
    if array.ndim > MAX_DIMENSIONS:
        raise InvalidInputError(f"{field} is nested deeper than {MAX_DIMENSIONS}.")
    if any(isinstance(value, dict | list) for value in array.flat):
        raise InvalidInputError(_first_misfit(rows, field))
    if all(value is None or type(value) in (int, float, bool) for value in array.flat):
        return array.astype(np.float64)
    return array


def _first_misfit(rows: list[Any], field: str) -> str:
    first = rows[0]
    for index, row in enumerate(rows):
        if type(row) is not type(first):
            return f"{field}[{index}] is not of the same kind as {field}[0]."
        if isinstance(row, list) and len(row) != len(first):
            return f"{field}[{index}] has {len(row)} values, {field}[0] has {len(first)}."
    return f"{field} is ragged: its inner lists differ in length."


def _columns(rows: list[Any], field: str) -> list[Tensor]:
    names = rows[0].keys()
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InvalidInputError(_first_misfit(rows, field))
        if row.keys() != names:
            odd = ", ".join(sorted(row.keys() ^ names))
            raise InvalidInputError(f"{field}[{index}] and {field}[0] differ in keys: {odd}.")
    if not names:
        raise InvalidInputError(f"{field}[0] is an object without keys.")
    return [Tensor(name, _array([row[name] for row in rows], field)) for name in names]


def _plain(outputs: list[Tensor]) -> object:
    """One output as its rows; several as rows of objects, keyed by output name."""
    if len(outputs) == 1:
        return _serializable(outputs[0].array)
    columns = [output.array.tolist() for output in outputs]
    names = [output.name for output in outputs]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _serializable(array: Array) -> object:
    """orjson writes C-contiguous number arrays itself, which pays off from some ten values on."""
    if array.size > 16 and array.dtype.kind in "iuf" and array.flags.c_contiguous:
        return array
    return array.tolist()
