"""Tiny programs saved in every format, for the tests of this folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import torch
from torch import nn

from predictors.pytorch.device import Device
from predictors.pytorch.model import TorchModel
from predictors.pytorch.options import Options
from predictors.serving.policy import Mode, Policy

CLASS = """
import torch

class Net(torch.nn.Module):
    def __init__(self, hidden: int = 3) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)
"""
X = {"name": "x", "datatype": "FP32", "shape": [-1, 4]}


class Net(nn.Module):
    """The same as in `CLASS`, with two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.layer(x)
        return {"logits": logits, "probabilities": torch.softmax(logits, -1)}


class Tagger(nn.Module):
    """A score for each token; a token's score is its own, whatever is filled in behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.embedding(tokens)
        return found


class Mixing(nn.Module):
    """Each row's answer depends on the others, though there is one for each."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0, keepdim=True)


def torchscript(folder: Path, module: nn.Module) -> None:
    """``model.pt``, scripted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates its TorchScript
        torch.jit.save(torch.jit.script(module.eval()), str(folder / "model.pt"))


def exported(folder: Path, module: nn.Module, example: torch.Tensor) -> None:
    """``model.pt2``, with an open first axis."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.export.Dim("batch", min=1, max=1024)
        program = torch.export.export(module.eval(), (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, folder / "model.pt2")


def configured(folder: Path, **config: Any) -> None:
    """``model.json``; a key ``class_`` is ``class`` there."""
    told = {key.rstrip("_"): value for key, value in config.items()}
    (folder / "model.json").write_bytes(orjson.dumps(told))


def opened(
    folder: Path, *, env: Mapping[str, str] | None = None, mode: Mode = Mode.ALLOW
) -> TorchModel:
    """The model in `folder`, loaded, on the processor."""
    model = TorchModel(
        "m",
        folder,
        device=Device("cpu"),
        policy=Policy(mode),
        options=Options.of(env or {}),
        threads=1,
    )
    model.load()
    return model
