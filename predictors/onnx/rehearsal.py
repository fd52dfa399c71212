"""One tiny model loaded and asked before any fork, so that no child pays for a first time."""

from __future__ import annotations

from typing import Final

from predictors.onnx.model import OnnxModel
from predictors.tabular.rehearsal import rehearse_file

__all__ = ["TINY", "rehearse"]

TINY: Final = bytes.fromhex(
    "08083a3c0a0b0a017812017922034e65671201675a140a0178120f0a0d080112090a0312016e0a0208026214"
    "0a0179120f0a0d080112090a0312016e0a02080242040a00100d"
)
"""y = -x of a matrix of float32, two columns wide; a test makes it again with the onnx package."""


def rehearse() -> None:
    """Load and ask it over both protocols, on one thread: a parent has no others."""
    rehearse_file(TINY, lambda file: OnnxModel("rehearsal", file, threads=1))
