"""Several requests' tensors as one, along axis 0, and the outputs apart again. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from predictors.serving.inference import InferenceRequest
from predictors.serving.scheduling.padding import Rules, filled, length, shape_key, trimmed
from predictors.serving.tensors import Tensor

__all__ = ["SplitError", "cut_back", "join", "joinable", "rows", "split"]

_NO_RULES: Rules = {}


class SplitError(Exception):
    """An output does not have one row per row of input: this model's answers cannot be parted."""


def joinable(request: InferenceRequest, rules: Rules = _NO_RULES) -> Hashable | None:
    """What requests must have in common to be joined; None if this one cannot be.

    Names, datatypes and trailing shapes of the inputs, and the outputs asked for. `rules` let
    shapes differ along an axis.
    """
    inputs = request.inputs
    if not inputs or request.payload is not None:
        return None
    sizes = {tensor.array.shape[0] if tensor.array.ndim else 0 for tensor in inputs}
    if len(sizes) != 1 or 0 in sizes:
        return None
    parts: list[Hashable] = []
    for tensor in inputs:
        told = repr(sorted(tensor.parameters.items())) if tensor.parameters else ""
        shape = tensor.array.shape[1:]
        if rules:
            shape = shape_key(tensor, rules, alone=len(inputs) == 1)
        parts.append((tensor.name, tensor.array.dtype, shape, told))
    return (*parts, *request.wanted)


def rows(request: InferenceRequest) -> int:
    """The size of axis 0 of a joinable request."""
    return len(request.inputs[0].array)


def join(requests: Sequence[InferenceRequest], rules: Rules = _NO_RULES) -> list[Tensor]:
    """The inputs of requests that are joinable with each other by `rules`, in their order."""
    columns = list(zip(*(request.inputs for request in requests), strict=True))
    alone = len(columns) == 1
    return [
        column[0]._replace(array=np.concatenate(filled(column, rules, alone=alone)))
        for column in columns
    ]


def cut_back(
    parts: Sequence[Sequence[Tensor]],
    requests: Sequence[InferenceRequest],
    rules: Rules,
    axes: Mapping[str, int],
) -> list[list[Tensor]]:
    """The outputs of each request without what `rules` filled in; `axes` are those of outputs."""
    lengths = [length(request.inputs, rules) or 0 for request in requests]
    longest = max(lengths)
    return [
        [trimmed(output, axes, longest, own) for output in outputs]
        for outputs, own in zip(parts, lengths, strict=True)
    ]


def split(outputs: Sequence[Tensor], sizes: Sequence[int]) -> list[list[Tensor]]:
    """The outputs of each request, whose rows were `sizes`. Raises `SplitError`."""
    total = sum(sizes)
    for output in outputs:
        if not output.array.ndim or len(output.array) != total:
            raise SplitError(f"output {output.name} has not one row for each of {total} inputs")
    parts: list[list[Tensor]] = []
    start = 0
    for size in sizes:
        end = start + size
        parts.append([output._replace(array=output.array[start:end]) for output in outputs])
        start = end
    return parts
