"""Subclasses of ``kserve.Model`` as transformers, by whichever kserve is importable here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictors.serving.errors import ModelLoadError, RequestError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Tensor
from tests.unit.transformers.conftest import Asked, Server, response, v1
from transformers_pre import Transformer
from transformers_pre.grpc_predictor import GrpcPredictor
from transformers_pre.model import TransformerModel
from transformers_pre.predictor import PredictorSettings
from transformers_pre.runtime import find_class

CODE = """
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model
from kserve.errors import InvalidInput

class Scale(Model):
    def __init__(self, name, by="10"):
        super().__init__(name)
        self.by = float(by)
        self.ready = True

    def preprocess(self, payload, headers=None):
        if isinstance(payload, InferRequest):
            rows = payload.inputs[0].as_numpy() / self.by
            made = InferInput("x", list(rows.shape), "FP64")
            made.set_data_from_numpy(rows, binary_data=False)
            return InferRequest(self.name, [made], payload.id)
        if "instances" not in payload:
            raise InvalidInput("instances are wanted")
        return {"instances": [[x / self.by for x in row] for row in payload["instances"]]}

    async def postprocess(self, result, headers=None, response_headers=None):
        if isinstance(result, InferResponse):
            answer = [f"label {value}" for value in result.outputs[0].as_numpy().ravel()]
            output = InferOutput("label", [len(answer)], "BYTES", answer)
            return InferResponse(result.id, self.name, [output])
        return {"labels": [f"label {value}" for value in result["predictions"]]}

class Own(Model):
    def predict(self, payload, headers=None):
        return payload
"""


@pytest.fixture
def scale(tmp_path: Path) -> Callable[..., Transformer]:
    (tmp_path / "scaling.py").write_text(CODE)

    def make(named: str = "Scale", **options: str) -> Transformer:
        made = find_class(f"{tmp_path / 'scaling.py'}:{named}")("iris", tmp_path, options)
        made.load()
        return made

    return make


async def test_bodies_pass_as_dicts(
    scale: Callable[..., Transformer], model: Callable[..., TransformerModel], asked: Asked
) -> None:
    answer = await model(scale(by="100")).infer(v1({"instances": [[510, 350]]}))
    assert asked.sent == {"instances": [[5.1, 3.5]]}
    assert answer.payload == {"labels": ["label 7"]}


async def test_tensors_pass_as_kserves_types_over_grpc(
    scale: Callable[..., Transformer], server: Server
) -> None:
    server.answer = lambda _: response(np.array([[7], [8]]))
    predictor = GrpcPredictor(PredictorSettings(f"127.0.0.1:{server.port}", "iris", "grpc-v2"))
    rows = Tensor("rows", np.array([[51.0, 35.0], [49.0, 30.0]]))
    answer = await TransformerModel(scale(), predictor).infer(InferenceRequest([rows], id="7"))
    (sent,) = server.sent
    assert (sent.id, sent.inputs[0].name) == ("7", "x")
    assert np.frombuffer(sent.raw_input_contents[0]).tolist() == [5.1, 3.5, 4.9, 3.0]
    assert [one.name for one in answer.outputs] == ["label"]
    assert answer.outputs[0].array.tolist() == ["label 7", "label 8"]
    await predictor.close()


async def test_its_refusals_keep_their_words(
    scale: Callable[..., Transformer], model: Callable[..., TransformerModel]
) -> None:
    with pytest.raises(RequestError, match="instances are wanted") as caught:
        await model(scale()).infer(v1({"rows": []}))
    assert caught.value.status == 400


async def test_one_that_predicts_is_no_transformer(scale: Callable[..., Any]) -> None:
    with pytest.raises(ModelLoadError, match=r"Own has a predict of its own.*predictors\.custom"):
        scale("Own")
