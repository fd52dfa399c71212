"""Requests that work when they are sent, made from a model's signature."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from predictors.serving.model import Model
from predictors.serving.tensors import TensorSpec

__all__ = ["example_shape", "v1_example", "v2_example"]

_UNKNOWN: Final = TensorSpec("input", "FP64", (-1, -1))


def v1_example(model: Model) -> dict[str, Any]:
    """A V1 body of one row; an object of columns where the model has several inputs."""
    if len(model.inputs) > 1:
        row: Any = {spec.name: _row(spec, column=True) for spec in model.inputs}
    else:
        row = _row(model.inputs[0] if model.inputs else _UNKNOWN)
    return {"instances": [row]}


def v2_example(model: Model) -> dict[str, Any]:
    """A V2 body of one row."""
    return {
        "inputs": [
            {
                "name": spec.name,
                "shape": example_shape(spec),
                "datatype": spec.datatype,
                "data": _flat(spec),
            }
            for spec in model.inputs or (_UNKNOWN,)
        ]
    }


def example_shape(spec: TensorSpec) -> list[int]:
    """The shape of an example: as the spec's own example has it, or 1 for each open size."""
    example = _own(spec)
    if example is not None:
        return list(example.shape)
    return [size if size >= 0 else 1 for size in spec.shape]


def _own(spec: TensorSpec) -> Any:
    example = (spec.parameters or {}).get("example")
    return None if example is None else np.array(example, dtype=object)


def _row(spec: TensorSpec, *, column: bool = False) -> Any:
    """The first row along axis 0; of a column of several, its value."""
    row: Any = np.array(_flat(spec), dtype=object).reshape(example_shape(spec)).tolist()
    for _ in range(2 if column and len(spec.shape) == 2 and spec.shape[1] == 1 else 1):
        row = row[0] if isinstance(row, list) and row else row
    return row


def _flat(spec: TensorSpec) -> list[Any]:
    example = _own(spec)
    if example is not None:
        flat: list[Any] = example.ravel().tolist()
        return flat
    count = math.prod(example_shape(spec))
    categories = (spec.parameters or {}).get("categories")
    if categories:
        return [categories[index % len(categories)] for index in range(count)]
    if spec.datatype == "BYTES":
        return ["text"] * count
    if spec.datatype == "BOOL":
        return [True] * count
    if spec.datatype.startswith("FP") or spec.datatype == "BF16":
        return [0.5 + index % 4 for index in range(count)]
    return [1 + index % 4 for index in range(count)]
