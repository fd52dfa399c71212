"""The protocol's datatypes as torch's, and values from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch

from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array, Tensor

__all__ = ["DTYPES", "as_array", "as_tensor", "datatype", "dtype_named", "is_half"]

DTYPES: Final[Mapping[str, torch.dtype]] = {
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "UINT16": torch.uint16,
    "UINT32": torch.uint32,
    "UINT64": torch.uint64,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "FP16": torch.float16,
    "FP32": torch.float32,
    "FP64": torch.float64,
    "BF16": torch.bfloat16,
}
"""Each datatype that torch computes with; BYTES are none."""

_DATATYPES: Final = {dtype: name for name, dtype in DTYPES.items()}
_ALIASES: Final = {"BFLOAT16": "BF16", "HALF": "FP16", "FLOAT16": "FP16", "FLOAT32": "FP32"}
_BF16: Final = {"datatype": "BF16"}


def datatype(dtype: torch.dtype) -> str:
    """The protocol's name of `dtype`; complex and quantized ones are sent as FP32."""
    return _DATATYPES.get(dtype, "FP32")


def dtype_named(name: str) -> torch.dtype | None:
    """The floating dtype called ``bf16``, ``bfloat16``, ``FP16`` ...; None if it is none."""
    upper = name.strip().upper()
    dtype = DTYPES.get(_ALIASES.get(upper, upper))
    return dtype if dtype is not None and dtype.is_floating_point else None


def is_half(dtype: torch.dtype) -> bool:
    """Whether `dtype` is one that autocast computes in."""
    return dtype in (torch.bfloat16, torch.float16)


def as_tensor(given: Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    """The array of `given` as a tensor of `dtype`, of its own where that is None.

    Never a view of memory that must not be written: a model may change its input. Raises
    `InvalidInputError` for strings.
    """
    array = given.array
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"Input {given.name} holds strings (BYTES); a PyTorch model takes numbers."
        )
    tensor = torch.from_numpy(np.require(array, requirements=("C", "W")))
    if dtype is None and given.parameters and given.parameters.get("datatype") == "BF16":
        dtype = torch.bfloat16
    return tensor if dtype is None else tensor.to(dtype)


def as_array(name: str, tensor: torch.Tensor) -> Tensor:
    """`tensor`, in the processor's memory, as an output of the protocol."""
    if tensor.dtype == torch.bfloat16:
        return Tensor(name, _numpy(tensor.float()), _BF16)
    if tensor.dtype not in _DATATYPES:
        tensor = tensor.float()
    return Tensor(name, _numpy(tensor))


def _numpy(tensor: torch.Tensor) -> Array:
    array: Array = tensor.numpy()
    return array
