"""Arrays as they are (``np``), and plain Python values (``raw``)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from predictors.serving.codecs.base import InputCodec, column
from predictors.serving.tensors import Array, Tensor

__all__ = ["NumpyCodec", "RawCodec", "array_of"]


class NumpyCodec(InputCodec):
    """A numpy array."""

    content_type: ClassVar[str] = "np"

    def can_encode(self, value: object) -> bool:
        """Arrays, and numpy's single numbers."""
        return isinstance(value, np.ndarray | np.generic)

    def decode(self, tensor: Tensor) -> Array:
        """The tensor's own array."""
        return tensor.array

    def encode(self, name: str, value: Any) -> Tensor:
        """The array; text becomes objects, a single number an array of one."""
        return Tensor(name, array_of(value))


class RawCodec(InputCodec):
    """Python values: a list of them, or the only one."""

    content_type: ClassVar[str] = "raw"

    def can_encode(self, value: object) -> bool:
        """Text, bytes and single numbers, which no other codec takes."""
        return isinstance(value, str | bytes | bool | int | float)

    def decode(self, tensor: Tensor) -> Any:
        """The only element, or the list of all, nested as the shape says."""
        return tensor.array.item() if tensor.array.size == 1 else tensor.array.tolist()

    def encode(self, name: str, value: Any) -> Tensor:
        """An array of one for a single value; of a list its array."""
        parameters = {"content_type": self.content_type}
        return Tensor(name, array_of(value), parameters)


def array_of(value: Any) -> Array:
    """A value as an array a tensor can have: text and what is ragged are objects, none is 0-d."""
    if isinstance(value, str | bytes):
        return column([value])
    try:
        array: Array = np.asarray(value)
    except ValueError:
        return column(value)
    if array.dtype.kind in "SU":
        # From the value itself: numpy's own bytes lose zeros at their end.
        array = np.asarray(value, dtype=object)
    elif array.dtype.kind in "Mm":
        array = (
            np.datetime_as_string(array).astype(object)
            if array.dtype.kind == "M"
            else (array.astype("timedelta64[ns]").astype(np.int64))
        )
    elif array.dtype.kind == "c" or array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return array.reshape(1) if array.ndim == 0 else array
