"""Replicas of one machine share weights: what is loaded are pages of the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from predictors.pytorch.device import Device
from predictors.pytorch.weights import load_safetensors
from predictors.serving.errors import ModelLoadError
from tests.unit.predictors_pytorch.programs import X, configured, exported, opened, torchscript

WIDTH = 1024
BYTES = WIDTH * WIDTH * 4
WIDE = """
import torch

class Wide(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1024, 1024)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)
"""


class Wide(nn.Module):
    """The same, for formats that need no source."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(x)
        return found


def private(file: Path) -> tuple[int, int]:
    """Bytes of this process's mapping of `file`: resident, and written to since."""
    text = Path("/proc/self/smaps").read_text()
    resident = written = 0
    for block in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text):
        if str(file) in block.splitlines()[0]:
            resident += int(re.findall(r"^Rss: +(\d+)", block, re.M)[0]) * 1024
            written += int(re.findall(r"^Anonymous: +(\d+)", block, re.M)[0]) * 1024
    return resident, written


def as_torchscript(folder: Path) -> None:
    torchscript(folder, Wide())


def as_export(folder: Path) -> None:
    exported(folder, Wide(), torch.randn(2, WIDTH))


def as_state(folder: Path) -> None:
    (folder / "model.py").write_text(WIDE)
    torch.save(Wide().state_dict(), folder / "model.pt")


def as_safetensors(folder: Path) -> None:
    (folder / "model.py").write_text(WIDE)
    save_file(Wide().state_dict(), folder / "model.safetensors")


@pytest.mark.parametrize("write", [as_torchscript, as_export, as_state, as_safetensors])
def test_weights_are_pages_of_the_file(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    configured(tmp_path, inputs=[{**X, "shape": [-1, WIDTH]}])
    [file] = [file for file in tmp_path.iterdir() if file.suffix in (".pt", ".pt2", ".safetensors")]
    model = opened(tmp_path)  # and asked, so that every weight was read
    resident, written = private(file)
    assert resident >= BYTES
    assert written <= BYTES * 0.1
    del model


def test_a_tensor_that_two_files_have(tmp_path: Path) -> None:
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file in files:
        save_file({"w": torch.ones(1)}, file)
    with pytest.raises(ModelLoadError, match=r"b\.safetensors: tensor w is in another file"):
        load_safetensors(files, Device("cpu"))
