"""How the server imports ONNX Runtime and finds a model's file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.storage import find_one
from predictors.tabular.cpus import usable_cpus

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["RUNTIME", "OnnxRuntime"]

_FILES: Final = ("model.onnx", "model.ort")


class OnnxRuntime:
    """The runtime of ONNX files."""

    name = "onnx"

    def prepare(self) -> None:
        """Import ONNX Runtime and numpy."""
        importlib.import_module("predictors.onnx.model")

    def warm(self) -> None:
        """The same, and ask a tiny model."""
        self.prepare()
        self.rehearse()

    def rehearse(self) -> None:
        """Load and ask a tiny model."""
        importlib.import_module("predictors.onnx.rehearsal").rehearse()

    def model(self, name: str, folder: Path) -> Model:
        """The model of the one model file in `folder`. Raises `StorageError`."""
        from predictors.onnx.model import OnnxModel

        return OnnxModel(name, find_one(folder, _FILES), threads=usable_cpus())


RUNTIME: Final = OnnxRuntime()
