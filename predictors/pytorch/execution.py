"""A program as it is called: without gradients, and with what was opted into."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch

from predictors.pytorch.device import Device
from predictors.pytorch.linear import use_onednn
from predictors.pytorch.options import Options
from predictors.pytorch.program import Program

__all__ = ["Execution", "keep_compiled"]

_log = logging.getLogger(__name__)

_COMPILABLE: Final = frozenset({"torch.export", "torch.save", "safetensors"})
_IMAGE_RANK: Final = 4


class Execution:
    """Calls one program on one device, with its options."""

    def __init__(self, program: Program, device: Device, options: Options, model: str) -> None:
        self._device = device
        self._options = options
        self._call = program.call
        self._cast: torch.dtype | None = None
        self.applied: dict[str, str] = {}
        self._prepare(program, model)

    def __call__(self, values: Sequence[torch.Tensor]) -> object:
        """What the program returns for `values`, which are on its device."""
        with torch.inference_mode(), self._autocast():
            return self._call([self._laid_out(value) for value in values])

    def _prepare(self, program: Program, model: str) -> None:
        options, module = self._options, program.module
        if module is None:
            asked = options.dtype or options.channels_last or options.compile
            if asked:
                _log.warning("model %s: %s runs as it was compiled", model, program.format)
        else:
            if options.dtype is not None:
                module.to(options.dtype)
                self._cast = options.dtype
            if options.channels_last:
                _channels_last(module)
                self.applied["memory_format"] = "channels_last"
            if options.compile:
                self._compile(program, module, model)
            elif options.autocast is None:
                use_onednn(module)
        if options.autocast is not None:
            self.applied["autocast"] = str(options.autocast).removeprefix("torch.")

    def _compile(self, program: Program, module: torch.nn.Module, model: str) -> None:
        if program.format not in _COMPILABLE:
            _log.warning("model %s: torch.compile cannot compile %s", model, program.format)
            return
        keep_compiled(self._options)
        # In place: the program's call goes through the module's __call__.
        module.compile(dynamic=True)
        self.applied["compiled"] = "inductor"

    def _laid_out(self, value: torch.Tensor) -> torch.Tensor:
        if self._cast is not None and value.is_floating_point():
            value = value.to(self._cast)
        if self._options.channels_last and value.ndim == _IMAGE_RANK:
            return value.contiguous(memory_format=torch.channels_last)
        return value

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = self._options.autocast
        if dtype is None:
            return nullcontext()
        return torch.autocast(self._device.torch.type, dtype=dtype)


def keep_compiled(options: Options) -> None:
    """Have Inductor keep what it makes on the node, and compile without processes of its own."""
    if options.cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = options.cache
    # A pool of compilers would outlive the warm-up, as children that nobody serves with.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def _channels_last(module: torch.nn.Module) -> None:
    to: Callable[..., torch.nn.Module] = module.to
    to(memory_format=torch.channels_last)
