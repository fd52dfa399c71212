"""CUDA graphs on a processor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Recording"]

T = TypeVar("T")


class _Noted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the calls of torch's operators, with the tensors themselves."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call and note."""
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("the step waited for a number of the device")
        made = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, made))
        return made


class Recording:
    """What a CUDA graph is, on a processor: the same operators on the same memory, no Python."""

    fixed = True

    def __init__(self) -> None:
        self.recorded: dict[Hashable, tuple[list[Any], Any]] = {}
        self.made: list[Hashable] = []
        self.replayed = 0

    def run(self, key: Hashable, step: Callable[[], T]) -> T:
        """What the recording of `key` writes."""
        if key not in self.recorded:
            with _Noted() as noted:
                made = step()
            self.recorded[key] = (noted.calls, made)
            self.made.append(key)
        calls, result = self.recorded[key]
        self.replayed += 1
        for func, args, kwargs, wrote in calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(wrote), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)
        told: T = result
        return told

    def forget(self) -> None:
        """Begin anew."""
        self.recorded.clear()
