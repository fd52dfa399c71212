"""Modules made without their first values, which the weights of a file replace at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["WithoutInitialization"]

_FILLS: Final = frozenset(
    {"bernoulli_", "exponential_", "fill_", "normal_", "uniform_", "zero_", "random_"}
)


class WithoutInitialization(TorchFunctionMode):
    """Within it, in the thread that entered it, parameters are allocated and not filled.

    Memory that nobody writes to takes none, and random numbers for it take most of the time that
    making a module takes. Buffers and other tensors are what the class makes of them: not all of
    them are in a file. Only for modules all of whose parameters are assigned afterwards.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Leave a parameter as it is where `func` would fill it; call anything else."""
        given = kwargs or {}
        target = args[0] if args else given.get("tensor")
        fills = func.__name__ in _FILLS or getattr(func, "__module__", "") == "torch.nn.init"
        if fills and isinstance(target, torch.nn.Parameter):
            return target
        return func(*args, **given)
