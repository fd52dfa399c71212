"""TorchScript: ``torch.jit.save`` of a scripted or traced module."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from predictors.pytorch.config import ModelConfig
from predictors.pytorch.device import Device
from predictors.pytorch.program import Program, unknown
from predictors.pytorch.sharing import share_torchscript
from predictors.pytorch.types import datatype
from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import TensorSpec

__all__ = ["load_torchscript"]

_INDICES: Final = {("aten::embedding", 1), ("aten::embedding_bag", 1)}
_WEIGHTED: Final = {
    ("aten::linear", 0),
    ("aten::conv1d", 0),
    ("aten::conv2d", 0),
    ("aten::conv3d", 0),
    ("aten::_convolution", 0),
    ("aten::addmm", 1),
    ("aten::batch_norm", 0),
    ("aten::layer_norm", 0),
}
"""Operators whose operand at that place has the datatype of the weights beside it."""


def load_torchscript(file: Path, config: ModelConfig, device: Device) -> Program:
    """The program in `file`; its inputs are the config's, else those of ``forward``.

    An archive tells their names, and of some the datatype; shapes it does not. Raises
    `ModelLoadError`.
    """
    try:
        with warnings.catch_warnings():
            # Whoever saved it may heed torch's advice to export instead; its server cannot.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(file), map_location=device.torch)  # type: ignore[no-untyped-call]
    except Exception as error:  # RuntimeError, and what unpickling raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelLoadError(
            f"{file} cannot be loaded by torch.jit of torch {torch.__version__}: {reason}"
        ) from error
    module.eval()
    if not device.accelerated:
        share_torchscript(file, module)
    names = [argument.name for argument in module.forward.schema.arguments[1:]]
    inputs = config.inputs or tuple(_guessed(module, names))
    by_name = {spec.name for spec in inputs} <= set(names)

    def call(values: Sequence[torch.Tensor]) -> object:
        if by_name:
            given = zip(inputs, values, strict=True)
            return module(**{spec.name: value for spec, value in given})
        return module(*values)

    return Program("torchscript", call, inputs, config.outputs, module)


def _guessed(module: Any, names: Sequence[str]) -> Iterator[TensorSpec]:
    """Each input by what its graph does with it first; required ones only."""
    arguments = module.forward.schema.arguments[1:]
    weight = next((each.dtype for each in module.parameters()), torch.float32)
    values = list(module.inlined_graph.inputs())[1:]
    for name, argument, value in zip(names, arguments, values, strict=True):
        if argument.has_default_value():
            continue
        if str(argument.type) != "Tensor":
            raise ModelLoadError(
                f"input {name} is a {argument.type}; forward must take tensors. Wrap the module "
                "in one that does, and save it again."
            )
        uses = {(use.user.kind(), use.offset) for use in value.uses()}
        if uses & _INDICES:
            yield TensorSpec(name, "INT64", ())
        elif uses & _WEIGHTED:
            yield TensorSpec(name, datatype(weight), ())
        else:
            yield unknown(name, datatype(weight))
