"""Requests of different lengths made joinable: filled up to the longest, answers cut back. Pure.

A rule names an axis of an input, 1 or more, and the value that fills it. Requests are joined with
others of about their length, the same power of two, so that at most half of a call is filling.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from predictors.serving.tensors import Array, Tensor

__all__ = ["Rules", "filled", "length", "shape_key", "trimmed"]

Rules = Mapping[str, tuple[int, float]]
"""By input, the axis and the value."""


def shape_key(tensor: Tensor, rules: Rules, *, alone: bool) -> tuple[Hashable, ...]:
    """What the trailing shapes of joinable tensors have in common."""
    shape = tensor.array.shape
    rule = _rule(tensor.name, rules, alone=alone)
    if rule is None or rule[0] >= len(shape):
        return shape[1:]
    axis = rule[0]
    bucket = f"2^{max(0, shape[axis] - 1).bit_length()}"
    return (*shape[1:axis], bucket, *shape[axis + 1 :])


def filled(tensors: Sequence[Tensor], rules: Rules, *, alone: bool) -> list[Array]:
    """The arrays of one input of several requests, as long as the longest of them."""
    rule = _rule(tensors[0].name, rules, alone=alone)
    arrays = [tensor.array for tensor in tensors]
    if rule is None or rule[0] >= arrays[0].ndim:
        return arrays
    axis, value = rule
    longest = max(array.shape[axis] for array in arrays)
    return [_filled(array, axis, value, longest) for array in arrays]


def length(inputs: Sequence[Tensor], rules: Rules) -> int | None:
    """A request's own length along the padded axis; None where no rule is about its inputs."""
    for tensor in inputs:
        rule = _rule(tensor.name, rules, alone=len(inputs) == 1)
        if rule is not None and rule[0] < tensor.array.ndim:
            size: int = tensor.array.shape[rule[0]]
            return size
    return None


def trimmed(output: Tensor, axes: Mapping[str, int], longest: int, own: int) -> Tensor:
    """An output of a call that was `longest` for a request that is `own` long."""
    axis = axes.get(output.name)
    array = output.array
    if axis is None or axis >= array.ndim or array.shape[axis] != longest:
        return output
    cut = (slice(None),) * axis + (slice(own),)
    return output._replace(array=array[cut])


def _rule(name: str, rules: Rules, *, alone: bool) -> tuple[int, float] | None:
    """The rule for an input; a model's only input goes by any name."""
    if alone and len(rules) == 1:
        return next(iter(rules.values()))
    return rules.get(name)


def _filled(array: Array, axis: int, value: float, longest: int) -> Array:
    if array.shape[axis] == longest:
        return array
    shape = list(array.shape)
    shape[axis] = longest
    full = np.full(shape, value, array.dtype)
    full[(slice(None),) * axis + (slice(array.shape[axis]),)] = array
    return full
