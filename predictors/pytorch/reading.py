"""A model's folder as a `Program`, whatever wrote it, as far as the policy lets it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from predictors.pytorch.config import ModelConfig
from predictors.pytorch.device import Device
from predictors.pytorch.formats import Format, find
from predictors.pytorch.program import Program
from predictors.pytorch.weights import read_ahead
from predictors.serving.policy import Policy

__all__ = ["read_program"]

_RUNS_CODE: Final = {
    Format.TORCHSCRIPT: "a TorchScript program",
    Format.PT2: "a .pt2 archive (torch.export or AOTInductor)",
}


def read_program(
    folder: Path, config: ModelConfig, device: Device, policy: Policy, model: str
) -> Program:
    """The program of `model` in `folder`, on `device`. Raises `StartupError`.

    Programs are code: `policy` is asked about them, as about a class that comes with weights.
    Weights alone are read as tensors and nothing else.
    """
    found = find(folder)
    read_ahead(found.files)
    kind = _RUNS_CODE.get(found.format)
    if kind is not None:
        policy.check(kind, str(found.files[0]), model)
    # Each is imported where it is needed: torch.export alone takes 0.2 s.
    if found.format is Format.TORCHSCRIPT:
        from predictors.pytorch.torchscript import load_torchscript

        return load_torchscript(found.files[0], config, device)
    if found.format is Format.PT2:
        from predictors.pytorch.exported import load_pt2

        return load_pt2(found.files[0], config, device)
    from predictors.pytorch.user import load_class

    where = folder if folder.is_dir() else folder.parent
    return load_class(found, where, config, device, policy, model)
