"""A model asked with made-up rows at load.

The first calls of a program are its slowest: kernels are chosen, graphs specialized, code
compiled. And what a model's rows are cannot be read from most formats: whether two requests may be
joined is seen by asking two rows together and each alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import torch

from predictors.pytorch.program import named_outputs
from predictors.pytorch.types import DTYPES, datatype
from predictors.serving.tensors import TensorSpec

__all__ = ["Probe", "made_up", "probe"]

_OPEN: Final = 7
"""The size of an open axis other than the first: small, and rarely one that a model has."""

_TOLERANCE: Final = 1e-3
_COARSE: Final = 5e-2
"""Of half precision, whose sums differ with the size of a batch."""


class Probe(NamedTuple):
    """`outputs` as they turned out; `joins`: whether each row's answer is its own."""

    outputs: tuple[TensorSpec, ...]
    joins: bool


def made_up(
    inputs: Sequence[TensorSpec], example: Sequence[torch.Tensor] = ()
) -> list[torch.Tensor] | None:
    """Two different rows for each of `inputs`, or None where a shape is not known.

    Integers are 0 and 1, which every vocabulary has. Open axes are as long as in `example`.
    """
    generator = torch.Generator().manual_seed(0)
    made = []
    for index, spec in enumerate(inputs):
        if not spec.shape and (spec.parameters or not example):
            return None
        known = example[index].shape if index < len(example) else ()
        shape = [
            size if size >= 0 else 2 if axis == 0 else known[axis] if axis < len(known) else _OPEN
            for axis, size in enumerate(spec.shape)
        ]
        dtype = DTYPES[spec.datatype]
        if dtype.is_floating_point:
            made.append(torch.rand(shape, generator=generator).to(dtype))
            continue
        values = torch.zeros(shape, dtype=dtype)
        if values.ndim:
            values[1:] = 1
        made.append(values)
    return made


def probe(
    call: Callable[[Sequence[torch.Tensor]], object],
    inputs: Sequence[TensorSpec],
    rows: Sequence[torch.Tensor],
    *,
    prove: bool = True,
) -> Probe:
    """Ask with all `rows`, and to `prove` that they may be joined with each alone.

    Raises what `call` does.
    """
    together = _cpu(named_outputs(call(rows)))
    opened = bool(inputs) and all(spec.shape and spec.shape[0] == -1 for spec in inputs)
    joins = prove and opened and all(value.ndim and len(value) == 2 for value in together.values())
    for index in (0, 1) if joins else ():
        # Not views: what was compiled for those is compiled again for a request.
        row = [each[index : index + 1].clone() for each in rows]
        alone = _cpu(named_outputs(call(row)))
        joins = joins and _same(alone, {n: v[index : index + 1] for n, v in together.items()})
    free = {
        size
        for spec, row in zip(inputs, rows, strict=True)
        for axis, size in enumerate(row.shape)
        if axis and spec.shape[axis] == -1
    }
    outputs = tuple(
        TensorSpec(name, datatype(value.dtype), _shape(value, free, opened=opened))
        for name, value in together.items()
    )
    return Probe(outputs, joins)


def _shape(value: torch.Tensor, free: set[int], *, opened: bool) -> tuple[int, ...]:
    return tuple(
        -1 if size in free or (axis == 0 and opened) else size
        for axis, size in enumerate(value.shape)
    )


def _same(alone: Mapping[str, torch.Tensor], joined: Mapping[str, torch.Tensor]) -> bool:
    return all(
        value.shape == joined[name].shape and _close(value, joined[name])
        for name, value in alone.items()
    )


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if not one.is_floating_point():
        return bool(torch.equal(one, other))
    tolerance = _COARSE if one.element_size() < 4 else _TOLERANCE
    return bool(torch.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True))


def _cpu(outputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in outputs.items()}
