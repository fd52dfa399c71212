"""Datatypes and numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from predictors.serving.tensors import DATATYPES, datatype_of

__all__ = ["from_np_dtype", "to_np_dtype"]


def to_np_dtype(dtype: str) -> Any:
    """The dtype of a datatype; None if there is none of that name."""
    return DATATYPES.get(dtype)


def from_np_dtype(np_dtype: Any) -> str:
    """The datatype of a dtype."""
    return datatype_of(np.dtype(np_dtype))
