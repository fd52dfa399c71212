"""What is wrong with a model or an input is said in one line that tells what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from predictors.serving.errors import InvalidInputError, ModelLoadError, StorageError
from predictors.serving.tensors import Tensor
from tests.unit.predictors_pytorch.programs import CLASS, Net, X, configured, opened, torchscript


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(StorageError, match=r"holds no PyTorch model.*It holds: notes\.txt"):
        opened(tmp_path)


def test_a_folder_with_several(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt2"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(StorageError, match=r"several models \(a\.pt, b\.pt2\)"):
        opened(tmp_path)


def test_a_shard_is_missing(tmp_path: Path) -> None:
    index = '{"weight_map": {"w": "one.safetensors", "v": "two.safetensors"}}'
    (tmp_path / "model.safetensors.index.json").write_text(index)
    (tmp_path / "one.safetensors").write_bytes(b"")
    with pytest.raises(StorageError, match=r"lacks two\.safetensors"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["model.pt", "model.pt2", "model.safetensors"])
def test_a_file_that_is_cut_off(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.py").write_text(CLASS)
    if name == "model.safetensors":
        save_file({"w": torch.ones(100, 100)}, tmp_path / name)
    else:
        torchscript(tmp_path, Net())
        (tmp_path / "model.pt").rename(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelLoadError, match=rf"{name} is no (PyTorch archive|complete)"):
        opened(tmp_path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    torchscript(tmp_path, Net())
    content = bytearray((tmp_path / "model.pt").read_bytes())
    at = content.index(b"data.pkl") + len(b"data.pkl")
    content[at : at + 200] = bytes(200)
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ModelLoadError, match=r"model\.pt cannot be loaded by torch\.jit of torch"):
        opened(tmp_path)


def test_weights_without_a_class(tmp_path: Path) -> None:
    torch.save(Net().state_dict(), tmp_path / "model.pt")
    with pytest.raises(ModelLoadError, match="weights without a program"):
        opened(tmp_path)


def test_weights_of_another_class(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CLASS)
    torch.save({"layer.weight": torch.ones(3, 5), "other": torch.ones(1)}, tmp_path / "model.pt")
    said = (
        r"missing: layer\.bias; unexpected: other; of another shape: layer\.weight is \[3, 5\], "
        r"the class has \[3, 4\]"
    )
    with pytest.raises(ModelLoadError, match=said):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("source", "config", "said"),
    [
        ("import nothing_of_that_name", {}, r"model\.py cannot be imported: ModuleNotFoundError"),
        ("x = 1", {}, r"no class of torch\.nn\.Module; name the model's in model\.json"),
        (CLASS, {"class_": "Other"}, r"has Net; name the model's"),
        (CLASS, {"class_": "nothing.here:Net"}, r"cannot be imported"),
        (CLASS, {"arguments": {"width": 1}}, r"Net cannot be made with the arguments"),
        (CLASS, {"colour": 1}, r"model\.json: colour is not known"),
        (CLASS, {"batch": 1}, r"batch must be true or false"),
        (CLASS, {"inputs": [{"name": "x"}]}, r"inputs\[0\]\.shape must be a list"),
        (CLASS, {"inputs": [{**X, "datatype": "F"}]}, r"inputs\[0\]\.datatype must be one of"),
        (CLASS, {"inputs": [{**X, "pad": {"axis": 1}}]}, r"pad\.axis is 1, which shape does not"),
    ],
)
def test_a_class_or_its_configuration(
    tmp_path: Path, source: str, config: dict[str, object], said: str
) -> None:
    (tmp_path / "model.py").write_text(source)
    torch.save(Net().state_dict(), tmp_path / "model.pt")
    configured(tmp_path, **config)
    with pytest.raises(ModelLoadError, match=said):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROUSE_TORCH_AUTOCAST", "fp32"),
        ("ROUSE_TORCH_DTYPE", "int8"),
        ("ROUSE_TORCH_COMPILE", "perhaps"),
    ],
)
def test_an_option_that_is_none(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ModelLoadError, match=variable):
        opened(tmp_path, env={variable: value})


def test_inputs_that_do_not_fit(tmp_path: Path) -> None:
    torchscript(tmp_path, Net())
    model = opened(tmp_path)
    with pytest.raises(InvalidInputError, match=r"refused the input: mat1 and mat2 shapes"):
        model.predict([Tensor("x", np.ones((2, 5), np.float32))], ())
    with pytest.raises(InvalidInputError, match=r"holds strings"):
        model.predict([Tensor("x", np.array(["a"], object))], ())
    with pytest.raises(InvalidInputError, match=r"has no output y\. It has: logits"):
        model.predict([Tensor("x", np.ones((2, 4), np.float32))], ["y"])
    with pytest.raises(InvalidInputError, match=r"takes the inputs x; given: x, y"):
        model.predict([Tensor("x", np.ones((2, 4))), Tensor("y", np.ones(1))], ())


def test_a_failure_of_the_models_own_is_no_fault_of_the_input(tmp_path: Path) -> None:
    source = CLASS.replace("return self.layer(x)", "raise RuntimeError('the disk is full')")
    (tmp_path / "model.py").write_text(source)
    torch.save(torch.nn.Linear(4, 3).state_dict(prefix="layer."), tmp_path / "model.pt")
    with pytest.raises(RuntimeError, match="the disk is full"):
        opened(tmp_path).predict([Tensor("x", np.ones((2, 4), np.float32))], ())
