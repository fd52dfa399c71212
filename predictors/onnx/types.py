"""ONNX Runtime's names of types, as the protocol's datatypes and numpy's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import TensorSpec

__all__ = ["dtype_of", "spec_of"]

_DATATYPES: Final[Mapping[str, tuple[str, Any]]] = {
    "tensor(bool)": ("BOOL", np.bool_),
    "tensor(uint8)": ("UINT8", np.uint8),
    "tensor(uint16)": ("UINT16", np.uint16),
    "tensor(uint32)": ("UINT32", np.uint32),
    "tensor(uint64)": ("UINT64", np.uint64),
    "tensor(int8)": ("INT8", np.int8),
    "tensor(int16)": ("INT16", np.int16),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(int64)": ("INT64", np.int64),
    "tensor(float16)": ("FP16", np.float16),
    "tensor(float)": ("FP32", np.float32),
    "tensor(double)": ("FP64", np.float64),
    "tensor(string)": ("BYTES", np.object_),
}


def dtype_of(kind: str) -> np.dtype[Any]:
    """numpy's dtype of ``tensor(...)``. Raises `ModelLoadError` for types that have none."""
    found = _DATATYPES.get(kind)
    if found is None:
        raise ModelLoadError(
            f"the model has an input of type {kind}; served are {', '.join(_DATATYPES)}."
        )
    dtype: np.dtype[Any] = np.dtype(found[1])
    return dtype


def spec_of(node: Any) -> TensorSpec:
    """An input or output of a session; symbolic sizes are -1.

    The sequence of maps in which converters of classifiers give probabilities is a matrix of as
    many columns as there are classes.
    """
    kind: str = node.type
    if kind.startswith(("seq(map(", "map(")):
        value = kind.partition(",")[2].rstrip(")") + ")"
        return TensorSpec(node.name, _DATATYPES.get(value, ("FP32", None))[0], (-1, -1))
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return TensorSpec(node.name, _DATATYPES.get(kind, ("FP32", None))[0], shape)
