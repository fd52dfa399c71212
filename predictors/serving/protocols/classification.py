"""The classification extension of V2: the highest values of an output, with their labels."""

from __future__ import annotations

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.model import Model
from predictors.serving.tensors import Tensor

__all__ = ["classified"]


def classified(tensor: Tensor, count: int, model: Model) -> Tensor:
    """BYTES ``value:index[:label]`` of the `count` highest values along the last axis.

    Labels are the ``categories`` of the output's spec, where they fit. Raises
    `InvalidInputError` where the output holds no numbers.
    """
    array = tensor.array
    if array.dtype.kind not in "iuf" or not array.ndim or not array.size:
        raise InvalidInputError(
            f"Output {tensor.name} has no numbers to classify; leave out its parameter "
            "classification."
        )
    rows = array.reshape(-1, array.shape[-1])
    best = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    labels = _labels(tensor.name, model, rows.shape[1])
    told = [
        [f"{row[index]:f}:{index}{labels[index]}" for index in order]
        for row, order in zip(rows.tolist(), best.tolist(), strict=True)
    ]
    shape = (*array.shape[:-1], best.shape[1])
    return Tensor(tensor.name, np.array(told, dtype=object).reshape(shape))


def _labels(name: str, model: Model, count: int) -> list[str]:
    for spec in model.outputs:
        names = (spec.parameters or {}).get("categories", ())
        if spec.name == name and len(names) == count:
            return [f":{label}" for label in names]
    return [""] * count
