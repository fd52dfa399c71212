"""The datatypes, and the two shapes everything else is written in: `Tensor` and `TensorSpec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BF16",
    "DATATYPES",
    "MAX_DIMENSIONS",
    "MAX_VALUES",
    "Array",
    "Tensor",
    "TensorSpec",
    "datatype_of",
    "declared_datatype",
    "text_or_bytes",
]

Array = NDArray[Any]

BF16: Final = "BF16"

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
    BF16: np.dtype(np.float32),
    "BYTES": np.dtype(object),
}
"""Each datatype and the dtype of the arrays that carry it."""

MAX_DIMENSIONS: Final = 32
"""numpy walks through no deeper nested values."""

MAX_VALUES: Final = 1 << 28
"""Values in one tensor: 2 GiB of FP64, beyond any body a server takes."""

_NAMES: Final = {dtype: name for name, dtype in DATATYPES.items() if name != BF16}


class Tensor(NamedTuple):
    """A named array, as a model takes and gives it; `parameters` as the client sent them.

    BYTES are object arrays of `str`, or `bytes` where they are not UTF-8.
    """

    name: str
    array: Array
    parameters: Mapping[str, Any] | None = None


class TensorSpec(NamedTuple):
    """One input or output of a model's signature; -1 in `shape` is any size.

    `parameters` are told in V2 metadata. Known ones: ``content_type``, ``description``,
    ``categories`` (all values there are, of a BYTES or integer tensor), ``feature_names`` (the
    columns of a matrix, by which V1 rows that are objects are checked), ``example`` (nested rows
    for documentation) and ``mixed`` (true where columns hold strings and numbers, so that the
    datatype is not checked).
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: Mapping[str, Any] | None = None


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy dtype; strings and objects are BYTES."""
    name = _NAMES.get(dtype)
    if name is not None:
        return name
    return "BYTES" if dtype.kind in "USO" else "FP64"


def declared_datatype(tensor: Tensor) -> str:
    """The datatype a tensor is sent as: BF16 where its parameters say so."""
    parameters = tensor.parameters
    if parameters and parameters.get("datatype") == BF16:
        return BF16
    return datatype_of(tensor.array.dtype)


def text_or_bytes(value: bytes) -> str | bytes:
    """One element of BYTES as `str`, or as it is where it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
