"""V2's messages, as MLServer's classes hold them, to arrays and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from predictors.serving.codecs.base import column
from predictors.serving.tensors import DATATYPES, Array, Tensor, datatype_of, text_or_bytes

__all__ = ["array_of_message", "fields_of"]


def array_of_message(message: Any) -> Array:
    """The array of an input or output; BYTES are text where they are UTF-8.

    Values that do not fill the shape (one buffer for a whole tensor) stay a vector.
    """
    data = getattr(message.data, "root", message.data)
    datatype = getattr(message.datatype, "value", message.datatype)
    if datatype == "BYTES":
        array = column(text_or_bytes(v) if isinstance(v, bytes) else v for v in _flat(data))
    else:
        dtype = DATATYPES[datatype]
        # Through float64, in which null is NaN.
        array = np.array(data, dtype=np.float64 if dtype.kind == "f" else dtype).astype(dtype)
    shape = tuple(message.shape)
    return array.reshape(shape) if array.size == math.prod(shape) else array


def fields_of(tensor: Tensor, *, use_bytes: bool) -> dict[str, Any]:
    """Name, datatype, shape and data of a tensor; a vector of n has the shape n x 1."""
    array = tensor.array
    data = array.ravel().tolist()
    if use_bytes and array.dtype.kind == "O":
        data = [value.encode() if isinstance(value, str) else value for value in data]
    if array.dtype.kind == "f" and np.isnan(array).any():
        data = [None if math.isnan(value) else value for value in data]
    shape = list(array.shape)
    return {
        "name": tensor.name,
        "datatype": datatype_of(array.dtype),
        "shape": shape if len(shape) > 1 else [*shape, 1],
        "data": data,
    }


def _flat(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [data]
    return [
        inner for value in data for inner in (_flat(value) if isinstance(value, list) else [value])
    ]
