"""What every format is brought into: a call on tensors, and what is known of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import TensorSpec

__all__ = ["Program", "named_outputs", "unknown"]


@dataclass
class Program:
    """A loaded model of any format.

    `call` takes one tensor for each of `inputs`, in their order. An input of which only the name
    is known has an empty shape and the parameter ``mixed`` (see `unknown`); `outputs` are empty
    where only a call can tell. `module` is there where torch can change or compile what is called.
    """

    format: str
    call: Callable[[Sequence[torch.Tensor]], object]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] = ()
    module: torch.nn.Module | None = None
    example: tuple[torch.Tensor, ...] = ()
    device: str | None = None
    """Where it has to run, if that was decided when it was compiled."""

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype of its first weight of floating numbers; None if it has none, or hides them."""
        if self.module is None:
            return None
        tensors: Iterator[torch.Tensor] = self.module.parameters()
        return next((each.dtype for each in tensors if each.is_floating_point()), None)


def unknown(name: str, datatype: str = "FP32") -> TensorSpec:
    """An input of which neither the datatype nor the shape is known."""
    return TensorSpec(name, datatype, (), {"mixed": True})


def named_outputs(value: object) -> dict[str, torch.Tensor]:
    """The tensors of what a model returned, by name.

    One tensor is ``output``; those of a list ``output_0``, ``output_1``; those of a mapping, a
    named tuple or a dataclass have the names there; nested names are joined by a dot. Raises
    `ModelLoadError` where there is no tensor in it.
    """
    if isinstance(value, torch.Tensor):
        return {"output": value}
    found = dict(_tensors(value, ""))
    if not found:
        raise ModelLoadError(
            f"the model returns {type(value).__name__} without a tensor in it; it must return a "
            "tensor, or a list or mapping of tensors."
        )
    return found


def _tensors(value: object, path: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield path, value
        return
    for name, part in _parts(value):
        if path:
            name = f"{path}.{name.removeprefix('output_')}"
        yield from _tensors(part, name)


def _parts(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(name), part) for name, part in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, list | tuple):
        return [(f"output_{index}", part) for index, part in enumerate(value)]
    if dataclasses.is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return []
