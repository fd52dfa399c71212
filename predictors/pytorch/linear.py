"""Linear layers by oneDNN where torch's own way is slower: on processors of AMD with AVX-512.

torch multiplies float32 matrices with MKL, which uses AVX2 there. oneDNN uses AVX-512, takes the
weights as they lie in their file, so that they stay shared, and is twice as fast for many rows: 64
of them through 2 layers of 1024 x 1024 take 1.8 ms instead of 3.4. Its calls cost some 10 us more,
so a layer with little to do is left to torch.

oneDNN generates code for every number of rows, some 0.6 MB and 3 ms each, and keeps a thousand of
them. So many rows are filled up to one of eight sizes an octave: some more to multiply, and a
quarter of the memory where texts differ in length.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import torch

__all__ = ["OneDnnLinear", "faster_by_onednn", "rows_multiplied", "use_onednn"]

_LEAST_WORK: Final = 1 << 21
"""Multiplications of one call from which on oneDNN is faster; the two meet at half of it."""
_EXACT_ROWS: Final = 64
"""Up to here rows are as they are: filling up would cost more than code does."""
_STEPS: Final = 8
_CPUINFO: Final = Path("/proc/cpuinfo")


class OneDnnLinear(torch.nn.Linear):
    """A `Linear` for inference in float32 on a processor; it has no gradient."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name
        """``input @ weight.T + bias``, of any number of leading axes."""
        if input.numel() * self.out_features < _LEAST_WORK:
            return super().forward(input)
        rows = input.numel() // self.in_features
        if (size := rows_multiplied(rows)) == rows:
            return self._multiplied(input)
        filled = input.new_empty((size, self.in_features))
        filled[:rows] = input.reshape(rows, self.in_features)
        filled[rows:] = 0.0
        return self._multiplied(filled)[:rows].view(*input.shape[:-1], self.out_features)

    def _multiplied(self, rows: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            rows, self.weight, self.bias, "none", [], ""
        )
        return result


def rows_multiplied(rows: int) -> int:
    """How many rows are multiplied for so many: the next of eight sizes an octave, above 64."""
    if rows <= _EXACT_ROWS:
        return rows
    step = (1 << (rows - 1).bit_length() - 1) // _STEPS
    return -(-rows // step) * step


def use_onednn(module: torch.nn.Module) -> int:
    """Make the linear layers of `module` `OneDnnLinear` where that is faster; how many were.

    Layers in other types than float32, on other devices, with gradients, or of classes derived
    from `Linear` stay as they are.
    """
    if not faster_by_onednn():
        return 0
    changed = [each for each in module.modules() if type(each) is torch.nn.Linear and _fits(each)]
    for layer in changed:
        layer.__class__ = OneDnnLinear
    return len(changed)


@cache
def faster_by_onednn() -> bool:
    """Whether this processor multiplies faster by oneDNN than by MKL."""
    if not (torch._C._has_mkldnn and torch._C.has_mkl):
        return False
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    try:
        return "AuthenticAMD" in _CPUINFO.read_text(errors="replace")
    except OSError:
        return False


def _fits(layer: torch.nn.Linear) -> bool:
    weight = layer.weight
    plain = weight.device.type == "cpu" and weight.dtype is torch.float32
    return plain and weight.is_contiguous() and not weight.requires_grad
