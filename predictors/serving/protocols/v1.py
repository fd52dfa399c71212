"""KServe's V1 protocol: ``{"instances": rows}`` in, ``{"predictions": rows}`` out.

Values of BYTES inputs may be ``{"b64": "..."}``, as TensorFlow Serving takes them.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from typing import Any, Final

import numpy as np

from predictors.serving.contract import check
from predictors.serving.dataplane import infer
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model
from predictors.serving.protocols import (
    Encoded,
    Headers,
    check_media_type,
    dumped,
    parse_object,
)
from predictors.serving.tensors import MAX_DIMENSIONS, Array, Tensor, text_or_bytes
from predictors.serving.tensors.jsons import flattened, packed

__all__ = ["decode", "encode", "encode_explanation", "predict", "rows_to_tensors"]

_EXACT: Final = float(1 << 53)
"""Integers below it are exact as float64."""

_NUMBERS: Final = frozenset({int, float, bool, type(None)})


def decode(model: Model, body: bytes, headers: Headers) -> InferenceRequest:
    """A request to ``/v1/models/M:predict`` or ``:explain``. Raises `RequestError`."""
    check_media_type(headers.get("content-type"))
    payload = parse_object(body)
    if model.takes_payload:
        return InferenceRequest((), headers=headers, payload=payload)  # type: ignore[arg-type]
    field = "instances" if "instances" in payload else "inputs"
    inputs = rows_to_tensors(payload.get(field), field)
    return InferenceRequest(inputs, headers=headers, rows=field)  # type: ignore[arg-type]


def encode(model: Model, request: InferenceRequest, response: InferenceResponse) -> Encoded:
    """``{"predictions": rows}``, or a payload as it is. Raises `InferenceError`."""
    return _encoded(model, response, "predictions")


def encode_explanation(
    model: Model, request: InferenceRequest, response: InferenceResponse
) -> Encoded:
    """``{"explanations": rows}``, or a payload as it is. Raises `InferenceError`."""
    return _encoded(model, response, "explanations")


def _encoded(model: Model, response: InferenceResponse, field: str) -> Encoded:
    answer = response.payload
    if answer is None:
        answer = {field: _rows(response.outputs)}
    return Encoded(dumped(answer, model.name))


def predict(model: Model, body: bytes) -> Encoded:
    """Decode, check, predict and encode in one go, as a rehearsal does. Raises `RequestError`."""
    request = decode(model, body, {})
    check(model, request)
    return encode(model, request, InferenceResponse(infer(model, request.inputs)))


def rows_to_tensors(rows: object, field: str) -> list[Tensor]:
    """Rows as one tensor; rows that are objects as one tensor per column.

    Numbers stay numbers beside strings: such rows become an object array. null becomes NaN where
    all else is numbers. Raises `InvalidInputError` naming the first row that does not fit.
    """
    if not isinstance(rows, list):
        raise InvalidInputError('The body must have "instances" (or "inputs"), a list of rows.')
    if not rows:
        raise InvalidInputError(f"{field} is empty; at least one row is expected.")
    if isinstance(rows[0], dict) and not _is_b64(rows[0]):
        return _columns(rows, field)
    return [Tensor(field, _array(rows, field))]


def _array(rows: list[Any], field: str) -> Array:
    flat = flattened(rows)
    if flat is None:
        raise InvalidInputError(_first_misfit(rows, field))
    values, shape = flat
    array = _packed(values)
    if array is None:
        kinds = set(map(type, values))
        if kinds - _NUMBERS:
            return _objects(rows, shape, field)
        array = np.array(values, dtype=np.float64 if type(None) in kinds else None)
    return array if len(shape) == 1 else array.reshape(shape)


def _packed(values: list[Any]) -> Array | None:
    """All floats as float64, all integers as int64; floats and small integers as float64."""
    if not values:
        return None
    if type(values[0]) is float:
        return packed(values, "FP64")
    array = packed(values, "INT64")
    if array is None:
        array = packed(values, "FP64")
        if array is not None and not np.abs(array).max() < _EXACT:
            return None
    return array


def _objects(rows: list[Any], shape: tuple[int, ...], field: str) -> Array:
    """Values of which some are strings or base64 objects."""
    array: Array = np.array(rows, dtype=object)
    if array.shape != shape:  # a string or an object stands where others have a list
        raise InvalidInputError(_first_misfit(rows, field))
    flat = array.ravel()
    flat[:] = [_unwrapped(value, field) for value in flat.tolist()]
    return flat.reshape(shape)


def _is_b64(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _unwrapped(value: object, field: str) -> object:
    if isinstance(value, list):
        raise InvalidInputError(f"{field} is ragged, or nested deeper than {MAX_DIMENSIONS} lists.")
    if not isinstance(value, dict):
        return value
    if not _is_b64(value):
        raise InvalidInputError(
            f'{field} holds an object among its values; only {{"b64": "..."}} is read there.'
        )
    try:
        return text_or_bytes(b64decode(value["b64"], validate=True))
    except (Error, ValueError):
        raise InvalidInputError(f'{field} holds a "b64" that is not base64.') from None


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


def _rows(outputs: Any) -> object:
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
