"""A tiny program loaded and asked before any fork, so that no child pays for a first time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import torch

from predictors.pytorch.device import Device
from predictors.pytorch.model import TorchModel
from predictors.pytorch.options import Options
from predictors.serving.policy import Policy
from predictors.tabular.rehearsal import ask_both

__all__ = ["rehearse", "rehearse_export"]

_OWN = Policy(trusted=("/proc/self/fd",))
"""What this module has saved itself may be loaded, whatever the server's policy."""


def rehearse() -> None:
    """Load and ask it over both protocols, on the processor and on one thread: no CUDA, no pool.

    CUDA does not survive a fork, so a GPU is first touched by the replica.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit
        program = torch.jit.trace(_tiny(), torch.zeros(1, 2))  # type: ignore[no-untyped-call]
        ask_both(_loaded(lambda file: torch.jit.save(program, file)))


def rehearse_export() -> None:
    """The same with ``torch.export``, whose tracer and schema take a second to be imported.

    For a parent alone: its children have all of this by the fork.
    """
    batch = torch.export.Dim("batch", min=1, max=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(_tiny(), (torch.zeros(2, 2),), dynamic_shapes=({0: batch},))
        ask_both(_loaded(lambda file: torch.export.save(program, file)))


def _tiny() -> torch.nn.Module:
    return torch.nn.Linear(2, 2).eval()


def _loaded(save: Callable[[BinaryIO], None]) -> TorchModel:
    # In memory: a file would be left behind by a process killed in the middle of this.
    with os.fdopen(os.memfd_create("rehearsal"), "w+b") as file:
        save(file)
        file.flush()
        model = TorchModel(
            "rehearsal",
            Path(f"/proc/self/fd/{file.fileno()}"),
            device=Device("cpu"),
            policy=_OWN,
            options=Options(),
            threads=1,
        )
        model.load()
    return model
