"""Tensors of the Open Inference Protocol: datatypes, checks, and JSON to numpy and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictors.serving.errors import InvalidInputError

__all__ = [
    "DATATYPES",
    "MAX_DIMENSIONS",
    "Array",
    "Tensor",
    "TensorSpec",
    "datatype_of",
    "decode",
    "encode",
]

Array = NDArray[Any]

DATATYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
MAX_DIMENSIONS: Final = 32
"""numpy walks through no deeper nested values."""

_NAMES: Final = {dtype: name for name, dtype in DATATYPES.items()}


class Tensor(NamedTuple):
    """A named array, as a model takes and gives it. BYTES are object arrays of `str`."""

    name: str
    array: Array


class TensorSpec(NamedTuple):
    """One input or output of a model's signature; -1 in `shape` is any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy dtype; strings and objects are BYTES."""
    name = _NAMES.get(dtype)
    if name is not None:
        return name
    return "BYTES" if dtype.kind in "USO" else "FP64"


def encode(tensor: Tensor) -> dict[str, Any]:
    """A response output: flat data in row-major order; a vector of n becomes n x 1."""
    array = tensor.array
    shape = list(array.shape)
    if len(shape) == 1:
        shape.append(1)
    data = array.ravel().tolist()
    datatype = datatype_of(array.dtype)
    if datatype == "BYTES" and array.dtype.kind != "U":
        data = [x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in data]
    content_type = "str" if datatype == "BYTES" else "np"
    return {
        "name": tensor.name,
        "shape": shape,
        "datatype": datatype,
        "parameters": {"content_type": content_type},
        "data": data,
    }


def decode(item: object, index: int) -> Tensor:
    """An element of a V2 request's ``inputs`` as a checked array; `index` names it in errors.

    Raises `InvalidInputError` naming the field, e.g. ``inputs[0].shape``.
    """
    if not isinstance(item, dict):
        raise InvalidInputError(f"inputs[{index}] must be an object, got {_kind(item)}.")
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"inputs[{index}].name must be a non-empty string.")
    datatype = item.get("datatype")
    dtype = DATATYPES.get(datatype) if isinstance(datatype, str) else None
    if dtype is None:
        raise InvalidInputError(
            f"inputs[{index}].datatype must be one of {', '.join(DATATYPES)}, got {datatype!r}."
        )
    shape = _shape(item.get("shape"), index)
    data = item.get("data")
    if not isinstance(data, list):
        raise InvalidInputError(f"inputs[{index}].data must be a list, got {_kind(data)}.")
    if dtype.kind == "O":
        array = _strings(data, index)
    else:
        array = _numbers(data, dtype, f"inputs[{index}].data", str(datatype))
    return Tensor(name, _reshape(array, shape, index))


def _shape(shape: object, index: int) -> tuple[int, ...]:
    if isinstance(shape, list):
        for size in shape:
            if type(size) is not int or size < 0:
                break
        else:
            return tuple(shape)
    raise InvalidInputError(
        f"inputs[{index}].shape must be a list of sizes, zero or more each, got {shape!r}."
    )


def _numbers(data: list[Any], dtype: np.dtype[Any], field: str, datatype: str) -> Array:
    """`data` as `dtype`, refusing what a plain cast would bend: strings, fractions, overflow."""
    try:
        array: Array = np.array(data)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(f"{field} is ragged: its rows differ in length.") from error
    if array.dtype == dtype or array.size == 0:
        return array.astype(dtype, copy=False)
    if array.dtype.kind not in "iuf":
        raise InvalidInputError(f"{field} must hold {datatype} values only.")
    if dtype.kind in "iu" and array.dtype.kind == "f":
        # numpy makes floats of integers that fit no common integer type, and rounds them.
        array = np.array(data, dtype=object)
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            cast: Array = array.astype(dtype)
        except OverflowError:
            raise InvalidInputError(f"{field} has values that {datatype} cannot hold.") from None
    if dtype.kind != "f" and not np.array_equal(cast, array):
        raise InvalidInputError(f"{field} has values that {datatype} cannot hold.")
    if dtype.kind == "f" and not np.isfinite(cast).all():
        raise InvalidInputError(f"{field} has values that {datatype} cannot hold.")
    return cast


def _strings(data: list[Any], index: int) -> Array:
    array: Array = np.array(data, dtype=object)
    if array.ndim > MAX_DIMENSIONS:
        raise InvalidInputError(f"inputs[{index}].data is nested deeper than {MAX_DIMENSIONS}.")
    for value in array.flat:
        if type(value) is not str:
            raise InvalidInputError(
                f"inputs[{index}].data must hold strings (BYTES), found {_kind(value)}."
            )
    return array


def _reshape(array: Array, shape: tuple[int, ...], index: int) -> Array:
    if array.shape == shape:
        return array
    if array.size != math.prod(shape):
        raise InvalidInputError(
            f"inputs[{index}].shape {list(shape)} asks for {math.prod(shape)} values, "
            f"data has {array.size}."
        )
    if array.ndim > 1 and array.size:
        raise InvalidInputError(
            f"inputs[{index}].data is nested as {list(array.shape)}, its shape says {list(shape)}."
        )
    return array.reshape(shape)


def _kind(value: object) -> str:
    """The JSON name of a decoded value's type, for messages."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")
