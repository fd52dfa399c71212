"""Tensors as raw bytes: the binary tensor extension of REST, and raw contents of gRPC."""

from __future__ import annotations

import math
from struct import Struct
from typing import Any, Final

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors.datatypes import (
    BF16,
    DATATYPES,
    Array,
    Tensor,
    declared_datatype,
    text_or_bytes,
)

__all__ = ["decode_raw", "encode_raw"]

_LENGTH: Final = Struct("<I")


def decode_raw(
    datatype: str, shape: tuple[int, ...], data: bytes | memoryview, field: str
) -> Array:
    """`data` as an array of `shape`. Numbers are not copied: the array is read-only.

    BYTES are, for each element, its length as a little-endian uint32 and the element itself.
    `field` names the bytes in errors, e.g. ``inputs[0].parameters.binary_data_size``. Raises
    `InvalidInputError` where the bytes are not what `datatype` and `shape` ask for.
    """
    count = math.prod(shape)
    if datatype == "BYTES":
        return _elements(memoryview(data), count, field).reshape(shape)
    dtype = DATATYPES[datatype]
    size = 2 if datatype == BF16 else dtype.itemsize
    if len(data) != count * size:
        raise InvalidInputError(
            f"{field} is {len(data)}, shape {list(shape)} of {datatype} needs {count * size}."
        )
    if datatype == BF16:
        upper = np.frombuffer(data or b"", np.uint16).astype(np.uint32)
        return (upper << 16).view(np.float32).reshape(shape)
    if datatype == "BOOL":
        flags = np.frombuffer(data, np.uint8)
        if count and flags.max() > 1:
            raise InvalidInputError(f"{field}: BOOL values must be bytes 0 or 1.")
        return flags.view(np.bool_).reshape(shape)
    array: Array = np.frombuffer(data, dtype) if count else np.empty(0, dtype)
    return array.reshape(shape)


def encode_raw(tensor: Tensor) -> bytes | memoryview:
    """The bytes of a tensor, as `decode_raw` reads them; of numbers a view where it can be."""
    datatype = declared_datatype(tensor)
    array = tensor.array
    if datatype == "BYTES":
        parts = []
        for value in array.ravel().tolist():
            element = value if isinstance(value, bytes) else str(value).encode()
            parts.append(_LENGTH.pack(len(element)))
            parts.append(element)
        return b"".join(parts)
    if datatype == BF16:
        return _rounded(array).tobytes()
    dtype = DATATYPES[datatype]
    return np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8).data


def _rounded(array: Array) -> Array:
    """The upper halves of float32 values, rounded to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    upper: Array = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    nan = np.isnan(array)
    if nan.any():
        upper[nan] = (bits[nan] >> 16).astype(np.uint16) | 0x40
    return upper


def _elements(data: memoryview, count: int, field: str) -> Array:
    if count * _LENGTH.size > len(data):
        raise InvalidInputError(
            f"{field} is {len(data)}, {count} BYTES elements need {count * _LENGTH.size} at least."
        )
    values: list[Any] = []
    at, end = 0, len(data)
    while at < end:
        if at + _LENGTH.size > end:
            raise InvalidInputError(f"{field} is {end}: it ends within the length of an element.")
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + size > end:
            raise InvalidInputError(
                f"{field} is {end}: element {len(values)} of {size} bytes ends beyond it."
            )
        if len(values) == count:
            raise InvalidInputError(f"{field} holds more BYTES elements than the shape's {count}.")
        values.append(text_or_bytes(bytes(data[at : at + size])))
        at += size
    if len(values) != count:
        raise InvalidInputError(
            f"{field} holds {len(values)} BYTES elements, its shape asks for {count}."
        )
    array: Array = np.empty(count, dtype=object)
    array[:] = values
    return array
