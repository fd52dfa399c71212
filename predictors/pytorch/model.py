"""A PyTorch program as a `Model`."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import torch

from predictors.pytorch.config import ModelConfig, read_config
from predictors.pytorch.device import Device
from predictors.pytorch.execution import Execution
from predictors.pytorch.options import Options
from predictors.pytorch.probing import made_up, probe
from predictors.pytorch.program import Program, named_outputs
from predictors.pytorch.reading import read_program
from predictors.pytorch.threads import use_all
from predictors.pytorch.types import DTYPES, as_array, as_tensor, datatype
from predictors.serving.errors import InvalidInputError, ModelLoadError, StartupError
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["TorchModel"]

_log = logging.getLogger(__name__)

_UNFIT: Final = re.compile(
    r"shape|size|dimension|dtype|scalar type|out of range|must match|expected|Guard|channels", re.I
)
"""In what torch raises for an input that does not fit, which has no class of its own."""


class TorchModel(Model):
    """Inputs and outputs are the program's; all outputs are answered when none is asked for.

    Where a program tells nothing of an input but its name, floating numbers become the weights'
    dtype, whole ones are handed on as they are.
    """

    platform: ClassVar[str] = "pytorch"

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        device: Device,
        policy: Policy,
        options: Options,
        threads: int | None = None,
    ) -> None:
        super().__init__(name)
        self._folder = folder
        self._device = device
        self._policy = policy
        self._options = options
        self._threads = threads
        # On a processor one call takes all cores; on a GPU calls overlap, each in its own stream.
        self.gil_free = device.accelerated

    def load(self) -> None:
        """Read the program and ask it once. Raises `StartupError`."""
        use_all(self._threads)
        config = read_config(self._folder)
        program = read_program(self._folder, config, self._device, self._policy, self.name)
        if program.device is not None and program.device != self._device.torch.type:
            raise ModelLoadError(
                f"{self._folder} was compiled for {program.device}; this server computes on "
                f"{self._device.name} (ROUSE_DEVICE)."
            )
        self._floats = program.dtype
        self._execution = Execution(program, self._device, self._options, self.name)
        self.inputs, self.outputs = program.inputs, program.outputs
        self._dtypes = [_declared(spec) for spec in self.inputs]
        self.batching = config.batching
        self.padding, self.trimmed = config.padding, config.trimmed
        self._ask_once(program, config)
        self.metadata_extra = {
            "format": program.format,
            "device": self._device.name,
            **({"dtype": datatype(program.dtype)} if program.dtype else {}),
            **self._execution.applied,
        }
        self._device.show_memory()

    def unload(self) -> None:
        """Let the program go, and its memory on the device."""
        del self._execution
        self._device.release()

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Run the program. Raises `InvalidInputError`, `OverloadedError` when out of memory."""
        use_all(self._threads)
        values = self._values(inputs)
        with self._device.out_of_memory(self.name), self._device.stream():
            try:
                answer = self._execution([self._device.upload(value) for value in values])
            except (RuntimeError, IndexError, ValueError, AssertionError) as error:
                reason = _unfit(error)
                if reason is None:
                    raise
                raise InvalidInputError(f"Model {self.name} refused the input: {reason}") from None
            found = self._named(answer)
            for name in wanted:
                if name not in found:
                    raise InvalidInputError(
                        f"Model {self.name} has no output {name}. It has: {', '.join(found)}."
                    )
            names = list(wanted) or list(found)
            arrays = self._device.download([found[name].detach() for name in names])
        return [as_array(name, value) for name, value in zip(names, arrays, strict=True)]

    def _values(self, inputs: Sequence[Tensor]) -> list[torch.Tensor]:
        if len(inputs) == 1 and len(self.inputs) == 1:
            return [self._value(inputs[0], self._dtypes[0])]
        given = {tensor.name: tensor for tensor in inputs}
        names = [spec.name for spec in self.inputs]
        if given.keys() != set(names) or len(given) != len(inputs):
            raise InvalidInputError(
                f"Model {self.name} takes the inputs {', '.join(names)}; "
                f"given: {', '.join(tensor.name for tensor in inputs)}."
            )
        pairs = zip(names, self._dtypes, strict=True)
        return [self._value(given[name], dtype) for name, dtype in pairs]

    def _value(self, given: Tensor, dtype: torch.dtype | None) -> torch.Tensor:
        value = as_tensor(given, dtype)
        if dtype is None and value.is_floating_point() and self._floats is not None:
            return value.to(self._floats)
        return value

    def _named(self, answer: object) -> dict[str, torch.Tensor]:
        found = named_outputs(answer)
        told = self.outputs
        if told and len(told) == len(found) and any(spec.name not in found for spec in told):
            return dict(zip((spec.name for spec in told), found.values(), strict=True))
        return found

    def _ask_once(self, program: Program, config: ModelConfig) -> None:
        """Warm the program up with made-up rows; learn its outputs, and whether rows are joined.

        Joining needs a proof or the configuration's word: a model that mixes rows would answer
        wrongly in company only.
        """
        self.batchable = bool(config.batch)
        rows = made_up(program.inputs, program.example)
        if rows is None:
            if config.batch is None:
                _log.info(
                    "model %s: its inputs' shapes are not known, so requests are not joined; "
                    "model.json can tell them",
                    self.name,
                )
            return
        try:
            with self._device.out_of_memory(self.name):
                prove = config.batch is None
                seen = probe(self._asked, program.inputs, rows, prove=prove)
        except StartupError:
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            _log.warning(
                "model %s could not be asked with made-up rows, so it starts cold: %s",
                self.name,
                reason,
            )
            return
        if not program.outputs:
            self.outputs = seen.outputs
        if config.batch is None:
            self.batchable = seen.joins

    def _asked(self, rows: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
        return self._named(self._execution([self._device.upload(row) for row in rows]))


def _declared(spec: TensorSpec) -> torch.dtype | None:
    return None if (spec.parameters or {}).get("mixed") else DTYPES[spec.datatype]


def _unfit(error: Exception) -> str | None:
    """What an input that does not fit was refused with; None for any other failure.

    TorchScript puts a trace of its own before the message.
    """
    if isinstance(error, torch.OutOfMemoryError) or "CUDA error" in str(error):
        return None
    lines = (str(error).strip() or type(error).__name__).splitlines()
    line = lines[-1] if "TorchScript" in lines[0] else lines[0]
    return line.removeprefix("RuntimeError: ") if _UNFIT.search(line) else None
