"""Calls: datatypes, joined and padded requests, options, and a device without memory left."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from predictors.pytorch.options import Options
from predictors.pytorch.probing import made_up, probe
from predictors.pytorch.rehearsal import rehearse
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import OverloadedError
from predictors.serving.inference import InferenceRequest
from predictors.serving.protocols import v2
from predictors.serving.scheduling.joining import joinable
from predictors.serving.scheduling.running import run_all
from predictors.serving.tensors import Tensor, TensorSpec
from tests.unit.predictors_pytorch.programs import (
    CLASS,
    Mixing,
    Net,
    Tagger,
    X,
    configured,
    opened,
    torchscript,
)

TOKENS = {"name": "tokens", "datatype": "INT64", "shape": [-1, -1], "pad": {"axis": 1, "value": 0}}
TAGS = {"name": "tags", "datatype": "FP32", "shape": [-1, -1, 2], "trim": 1}


def request(name: str, *rows: Sequence[float], dtype: type = np.int64) -> InferenceRequest:
    return InferenceRequest([Tensor(name, np.array(rows, dtype))])


def test_requests_of_different_lengths_are_padded_together_and_cut_back(tmp_path: Path) -> None:
    torchscript(tmp_path, Tagger())
    configured(tmp_path, inputs=[TOKENS], outputs=[TAGS])
    model = opened(tmp_path)
    assert model.batchable
    # One input goes by any name, as V1's rows do.
    requests = [
        request("tokens", [1, 2, 3]),
        request("tokens", [4, 5, 6, 7], [8, 9, 1, 2]),
    ]
    keys = {joinable(each, model.padding) for each in requests}
    assert len(keys) == 1
    assert joinable(request("tokens", [1, 2, 3, 4, 5]), model.padding) not in keys
    calls: list[tuple[int, ...]] = []
    call = model.predict

    def counted(inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        calls.append(inputs[0].array.shape)
        return call(inputs, wanted)

    model.predict = counted  # type: ignore[method-assign]
    ran = run_all(model, requests)
    assert calls == [(3, 4)]
    for each, outcome in zip(requests, ran.outcomes, strict=True):
        assert not isinstance(outcome, Exception)
        [alone] = call(each.inputs, ())
        np.testing.assert_array_equal(outcome.outputs[0].array, alone.array)
        assert outcome.outputs[0].name == "tags"


def test_a_model_that_mixes_rows_is_not_joined(tmp_path: Path) -> None:
    torchscript(tmp_path, Mixing())
    configured(tmp_path, inputs=[X])
    assert not opened(tmp_path).batchable
    configured(tmp_path, inputs=[X], batch=True, max_batch_size=8, max_batch_latency_ms=2)
    model = opened(tmp_path)
    assert model.batchable
    assert model.batching == (8, 0.002)


def test_a_sequence_that_stands_on_the_first_axis_is_found_out() -> None:
    """Joined along the first axis, requests of a recurrent network would go on in each other."""
    torch.manual_seed(0)
    recurrent = torch.nn.LSTM(4, 3).eval()
    inputs = [TensorSpec("x", "FP32", (-1, 1, 4))]
    rows = made_up(inputs)
    assert rows is not None
    seen = probe(lambda values: recurrent(values[0])[0], inputs, rows)
    assert not seen.joins


def test_bf16_travels_both_ways(tmp_path: Path) -> None:
    torchscript(tmp_path, Net().to(torch.bfloat16))
    configured(tmp_path, inputs=[{**X, "datatype": "BF16"}])
    model = opened(tmp_path)
    assert model.outputs[0].datatype == "BF16"
    assert model.metadata_extra["dtype"] == "BF16"
    model.ready = True
    body = (
        b'{"inputs": [{"name": "x", "datatype": "BF16", "shape": [1, 4], "data": [1, 2, 3, 4]}],'
        b'"outputs": [{"name": "logits"}]}'
    )
    answer = v2.infer_json(model, body)
    assert b'"datatype":"BF16"' in answer.body


def test_half_precision_by_option(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CLASS)
    torch.save(torch.nn.Linear(4, 3).state_dict(prefix="layer."), tmp_path / "model.pt")
    configured(tmp_path, inputs=[X])
    rows = [Tensor("x", np.ones((2, 4), np.float32))]
    plain = opened(tmp_path).predict(rows, ())[0].array
    autocast = opened(tmp_path, env={"ROUSE_TORCH_AUTOCAST": "bf16"})
    assert autocast.metadata_extra["autocast"] == "bfloat16"
    [rounded] = autocast.predict(rows, ())
    assert rounded.parameters == {"datatype": "BF16"}
    np.testing.assert_allclose(rounded.array, plain, atol=0.05)
    cast = opened(tmp_path, env={"ROUSE_TORCH_DTYPE": "fp16"})
    [halved] = cast.predict(rows, ())
    assert halved.array.dtype == np.float16
    np.testing.assert_allclose(halved.array, plain, atol=0.05)


def test_channels_last_changes_no_answer(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CLASS.replace("Linear(4, hidden)", "Conv2d(2, hidden, 3)"))
    torch.manual_seed(0)
    weights = torch.nn.Conv2d(2, 3, 3).state_dict(prefix="layer.")
    torch.save(weights, tmp_path / "model.pt")
    configured(tmp_path, inputs=[{**X, "shape": [-1, 2, 5, 5]}])
    image = [Tensor("x", np.random.default_rng(0).random((1, 2, 5, 5), np.float32))]
    last = opened(tmp_path, env={"ROUSE_TORCH_CHANNELS_LAST": "true"})
    assert last.metadata_extra["memory_format"] == "channels_last"
    plain = opened(tmp_path).predict(image, ())[0].array
    np.testing.assert_allclose(last.predict(image, ())[0].array, plain, rtol=1e-4)


async def test_a_device_without_memory_answers_503_and_the_next_request_is_served(
    tmp_path: Path,
) -> None:
    source = CLASS.replace(
        "        return self.layer(x)",
        "        if (x > 99).any():\n"
        "            raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB.')\n"
        "        return self.layer(x)",
    )
    (tmp_path / "model.py").write_text(source)
    torch.save(torch.nn.Linear(4, 3).state_dict(prefix="layer."), tmp_path / "model.pt")
    configured(tmp_path, inputs=[X])
    plane = DataPlane(["m"])
    plane.publish(opened(tmp_path))
    with pytest.raises(OverloadedError, match=r"cpu is out of memory \(CUDA out of memory\)") as no:
        await plane.infer("m", None, request("x", [100, 0, 0, 0], dtype=np.float32))
    assert no.value.status == 503
    assert ("retry-after", "1") in no.value.headers
    good = await plane.infer("m", None, request("x", [1, 0, 0, 0], dtype=np.float32))
    assert good.outputs[0].array.shape == (1, 3)


def test_an_input_is_never_written_to(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CLASS.replace("self.layer(x)", "self.layer(x.mul_(2))"))
    torch.save(torch.nn.Linear(4, 3).state_dict(prefix="layer."), tmp_path / "model.pt")
    rows = np.ones((1, 4), np.float32)
    rows.setflags(write=False)
    opened(tmp_path).predict([Tensor("x", rows)], ())
    assert rows.sum() == 4


def test_the_rehearsal_leaves_no_thread() -> None:
    before = threading.active_count()
    rehearse()
    assert threading.active_count() == before


def test_what_was_compiled_is_kept_on_the_node() -> None:
    assert Options.of({}).cache is None
    models = {"ROUSE_MODEL_CACHE": "/cache"}
    assert Options.of(models).cache == "/cache/inductor"
    own = {"ROUSE_TORCH_COMPILE_CACHE": "/own"}
    assert Options.of(models | own).cache == "/own"
    assert Options.of(models | own | {"TORCHINDUCTOR_CACHE_DIR": "/torch"}).cache == "/torch"


def test_torchscript_is_not_compiled_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torchscript(tmp_path, Net())
    model = opened(tmp_path, env={"ROUSE_TORCH_COMPILE": "true"})
    assert "torch.compile cannot compile torchscript" in caplog.text
    assert "compiled" not in model.metadata_extra
