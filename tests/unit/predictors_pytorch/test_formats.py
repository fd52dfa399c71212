"""One model in every format: the same answers, the contract read from the artifact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from safetensors.torch import save_file
from torch.utils import _pytree as pytree

from predictors.serving.errors import ModelLoadError
from predictors.serving.policy import Mode
from predictors.serving.tensors import Tensor
from tests.unit.predictors_pytorch.programs import (
    CLASS,
    Net,
    X,
    configured,
    exported,
    opened,
    torchscript,
)

ROWS = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


def wanted(net: Net) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with torch.inference_mode():
        answer: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
        answer = net(torch.from_numpy(ROWS))["logits"].numpy()
    return answer


def with_class(folder: Path, net: Net) -> None:
    (folder / "model.py").write_text(CLASS)
    configured(folder, inputs=[X])
    torch.save(net.state_dict(), folder / "model.pt")


def with_safetensors(folder: Path, net: Net) -> None:
    (folder / "model.py").write_text(CLASS)
    configured(folder, class_="Net", arguments={"hidden": 3}, inputs=[X])
    save_file(dict(net.state_dict()), folder / "model.safetensors")


def test_an_exported_program_tells_its_contract(tmp_path: Path, net: Net) -> None:
    exported(tmp_path, net, torch.randn(2, 4))
    model = opened(tmp_path)
    assert [tuple(spec[:3]) for spec in model.inputs] == [("x", "FP32", (-1, 4))]
    assert [tuple(spec[:3]) for spec in model.outputs] == [
        ("logits", "FP32", (-1, 3)),
        ("probabilities", "FP32", (-1, 3)),
    ]
    assert model.batchable
    assert model.metadata_extra == {"format": "torch.export", "device": "cpu", "dtype": "FP32"}
    logits, probabilities = model.predict([Tensor("x", ROWS)], ())
    np.testing.assert_allclose(logits.array, wanted(net), rtol=1e-5)
    np.testing.assert_allclose(probabilities.array.sum(1), 1, rtol=1e-5)
    [only] = model.predict([Tensor("x", ROWS)], ["probabilities"])
    assert only.name == "probabilities"


def test_torchscript_with_and_without_a_configuration(tmp_path: Path, net: Net) -> None:
    torchscript(tmp_path, net)
    model = opened(tmp_path)
    # Its graph hands x to a layer of FP32 weights at once; of shapes the archive says nothing.
    assert [tuple(spec[:3]) for spec in model.inputs] == [("x", "FP32", ())]
    assert not model.batchable
    [logits, _] = model.predict([Tensor("x", ROWS)], ())
    np.testing.assert_allclose(logits.array, wanted(net), rtol=1e-5)
    configured(tmp_path, inputs=[X])
    model = opened(tmp_path)
    assert model.batchable
    assert [tuple(spec[:3]) for spec in model.outputs] == [
        ("logits", "FP32", (-1, 3)),
        ("probabilities", "FP32", (-1, 3)),
    ]


@pytest.mark.parametrize("write", [with_class, with_safetensors])
def test_a_class_beside_its_weights(
    tmp_path: Path, net: Net, write: Callable[[Path, Net], None]
) -> None:
    write(tmp_path, net)
    model = opened(tmp_path)
    assert [tuple(spec[:3]) for spec in model.outputs] == [("output", "FP32", (-1, 3))]
    assert model.batchable
    [output] = model.predict([Tensor("x", ROWS)], ())
    np.testing.assert_allclose(output.array, wanted(net), rtol=1e-5)


def test_a_class_that_is_installed_runs_no_code_of_the_folder(tmp_path: Path) -> None:
    layer = torch.nn.Linear(4, 3)
    configured(
        tmp_path,
        class_="torch.nn:Linear",
        arguments={"in_features": 4, "out_features": 3},
        inputs=[{**X, "name": "input"}],
    )
    save_file(dict(layer.state_dict()), tmp_path / "model.safetensors")
    model = opened(tmp_path, mode=Mode.DENY)
    [output] = model.predict([Tensor("input", ROWS)], ())
    expected = layer(torch.from_numpy(ROWS)).detach().numpy()
    np.testing.assert_allclose(output.array, expected, rtol=1e-5)


def test_the_shards_of_an_index_are_one_model(tmp_path: Path, net: Net) -> None:
    (tmp_path / "model.py").write_text(CLASS)
    configured(tmp_path, inputs=[X])
    save_file({"layer.weight": net.layer.weight.data}, tmp_path / "a.safetensors")
    save_file({"layer.bias": net.layer.bias.data}, tmp_path / "b.safetensors")
    index = {"weight_map": {"layer.weight": "a.safetensors", "layer.bias": "b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_bytes(orjson.dumps(index))
    [output] = opened(tmp_path).predict([Tensor("x", ROWS)], ())
    np.testing.assert_allclose(output.array, wanted(net), rtol=1e-5)


def test_a_class_is_made_without_first_values_but_with_its_own_buffers(tmp_path: Path) -> None:
    own = (
        "        torch.nn.init.constant_(self.layer.weight, 7)\n"
        "        assert not (self.layer.weight == 7).all(), 'filled'\n"
        "        self.register_buffer('twice', torch.empty(500).fill_(1), persistent=False)\n"
        "        torch.nn.init.constant_(self.twice, 2)\n\n"
        "    def forward"
    )
    source = CLASS.replace("    def forward", own).replace("Linear(4, hidden)", "Linear(500, 500)")
    (tmp_path / "model.py").write_text(
        source.replace("self.layer(x)", "self.layer(x) * self.twice")
    )
    layer = torch.nn.Linear(500, 500)
    torch.save(layer.state_dict(prefix="layer."), tmp_path / "model.pt")
    rows = np.ones((1, 500), np.float32)
    [output] = opened(tmp_path).predict([Tensor("x", rows)], ())
    expected = layer(torch.from_numpy(rows)).detach().numpy() * 2
    np.testing.assert_allclose(output.array, expected, rtol=1e-4, atol=1e-5)


def test_a_whole_module_is_unpickled_only_where_the_policy_allows_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(torch.nn.Linear(4, 3), tmp_path / "model.pt")
    configured(tmp_path, inputs=[{**X, "name": "input"}])
    assert opened(tmp_path).outputs[0].shape == (-1, 3)
    warned = [record for record in caplog.records if "can run any code" in record.message]
    assert len(warned) == 1
    with pytest.raises(ModelLoadError, match="a pickled PyTorch module can run any code"):
        opened(tmp_path, mode=Mode.DENY)


def test_programs_are_code_to_the_policy(tmp_path: Path, net: Net) -> None:
    torchscript(tmp_path, net)
    with pytest.raises(ModelLoadError, match="a TorchScript program can run any code"):
        opened(tmp_path, mode=Mode.DENY)
    (tmp_path / "model.pt").unlink()
    exported(tmp_path, net, torch.randn(2, 4))
    with pytest.raises(ModelLoadError, match=r"a \.pt2 archive .* can run any code"):
        opened(tmp_path, mode=Mode.DENY)
    (tmp_path / "model.pt2").unlink()
    with_safetensors(tmp_path, net)
    with pytest.raises(ModelLoadError, match=r"model\.py, the model's own code, can run any code"):
        opened(tmp_path, mode=Mode.DENY)


class Runner:
    """What AOTInductor's loader gives, without its compiler, which takes a minute."""

    class loader:  # noqa: N801 - as torch calls it
        @staticmethod
        def get_call_spec() -> list[str]:
            spec = pytree.tree_structure(((0,), {"scale": 0}))
            return [pytree.treespec_dumps(spec), ""]

    def get_metadata(self) -> dict[str, str]:
        return {"AOTI_DEVICE_KEY": "cpu"}

    def __call__(self, x: torch.Tensor, *, scale: torch.Tensor) -> tuple[torch.Tensor]:
        return (x * scale,)


def test_an_aotinductor_package_is_called_by_the_names_of_the_configuration(
    tmp_path: Path, net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(tmp_path, net, torch.randn(2, 4))
    monkeypatch.setattr("predictors.pytorch.exported._contents", lambda _: (["model"], {}))
    monkeypatch.setattr("predictors.pytorch.exported.open_runner", lambda *_: Runner())
    with pytest.raises(ModelLoadError, match=r"keeps no names of inputs.*model\.json"):
        opened(tmp_path)
    scale = {"name": "scale", "datatype": "FP32", "shape": [-1, 1]}
    configured(tmp_path, inputs=[X, scale])
    model = opened(tmp_path)
    assert model.metadata_extra == {"format": "aotinductor", "device": "cpu"}
    assert model.batchable
    doubled = np.full((3, 1), 2, np.float32)
    [output] = model.predict([Tensor("scale", doubled), Tensor("x", ROWS)], ())
    np.testing.assert_array_equal(output.array, ROWS * 2)
