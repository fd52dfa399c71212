"""How the server imports torch and finds a model's files."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.pytorch.gpus import own_gpu
from predictors.pytorch.openmp import wait_passively

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["RUNTIME", "PytorchRuntime"]

_FORMATS: Final = ("torchscript", "user", "exported")


class PytorchRuntime:
    """The runtime of TorchScript, torch.export, AOTInductor, and weights with their class."""

    name = "pytorch"

    def prepare(self) -> None:
        """Import torch."""
        wait_passively()
        importlib.import_module("predictors.pytorch.model")

    def warm(self) -> None:
        """Import what every format needs and ask a tiny model, all on one thread."""
        self.prepare()
        importlib.import_module("predictors.pytorch.threads").before_fork()
        for format_ in _FORMATS:
            importlib.import_module(f"predictors.pytorch.{format_}")
        self.rehearse()
        importlib.import_module("predictors.pytorch.rehearsal").rehearse_export()

    def rehearse(self) -> None:
        """Load and ask a tiny program."""
        importlib.import_module("predictors.pytorch.rehearsal").rehearse()

    def become_worker(self, index: int) -> None:
        """Before a worker imports CUDA: see the GPU that is its own, and no other."""
        gpu = own_gpu(index, os.environ)
        if gpu is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu

    def model(self, name: str, folder: Path) -> Model:
        """The model in `folder`. Raises `StartupError`."""
        from predictors.pytorch.device import Device
        from predictors.pytorch.model import TorchModel
        from predictors.pytorch.options import Options
        from predictors.serving.policy import Policy

        return TorchModel(
            name,
            folder,
            device=Device.choose(os.environ),
            policy=Policy.of(os.environ),
            options=Options.of(os.environ),
        )


RUNTIME: Final = PytorchRuntime()
