"""A rehearsal's questions, over both protocols."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from predictors.serving.model import Model
from predictors.serving.protocols import v1, v2

__all__ = ["ask_both", "rehearse_file"]

_V1: Final = b'{"instances": [[5.1, 3.5], [4.9, 3.0]]}'
_V2: Final = (
    b'{"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [5.1, 3.5]}]}'
)


def ask_both(model: Model) -> None:
    """Ask a loaded model of two columns by V1 and by V2; starts no thread."""
    model.ready = True
    for _ in range(8):  # CPython specializes a function's bytecode after its eighth call
        v1.predict(model, _V1)
        v2.infer_json(model, _V2)


def rehearse_file(content: bytes, make: Callable[[Path], Model]) -> None:
    """Load a model file of that content, kept in memory, and ask the model that `make` gives."""
    with os.fdopen(os.memfd_create("rehearsal"), "w+b") as file:
        file.write(content)
        file.flush()
        model = make(Path(f"/proc/self/fd/{file.fileno()}"))
        model.load()
    ask_both(model)
