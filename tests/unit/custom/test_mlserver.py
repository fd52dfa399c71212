"""Subclasses of ``mlserver.MLModel``, by whichever mlserver is importable here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from predictors.serving.errors import ModelLoadError

EXAMPLE = Path(__file__).parents[3] / "examples/custom/mlserver"

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
Write = Callable[..., Path]

NAMES = {"inputs": [{"name": "names", "datatype": "BYTES", "shape": [2], "data": ["Ada", "Bob"]}]}


async def test_the_example(serve: Serve) -> None:
    client = await serve(EXAMPLE)
    told = (await client.post("/v2/models/m/infer", json=NAMES)).json()
    assert told["outputs"] == [
        {
            "name": "greetings",
            "datatype": "BYTES",
            "shape": [2, 1],
            "data": ["Good morning, Ada", "Good morning, Bob"],
            "parameters": {"content_type": "str"},
        }
    ]
    page = (await client.get("/metrics")).text
    assert 'greeted_names_sum{model_name="m",model_version="v1"} 2.0' in page
    assert (await client.get("/greeting")).json() == {"greeting": "Good morning,"}
    empty = {"inputs": [{"name": "names", "datatype": "BYTES", "shape": [1], "data": [""]}]}
    refused = await client.post("/v2/models/m/infer", json=empty)
    assert (refused.status_code, refused.json()) == (400, {"error": "a name is empty"})
    events = await client.post("/v2/models/m/infer_stream", json=NAMES)
    assert events.text.count("data: ") == 2


async def test_v1_rows_are_one_input(serve: Serve) -> None:
    client = await serve(EXAMPLE)
    answer = await client.post("/v1/models/m:predict", json={"instances": ["Ada"]})
    assert answer.json() == {"predictions": [["Good morning, Ada"]]}


async def test_arguments_are_decoded(serve: Serve) -> None:
    client = await serve(EXAMPLE, "models:Sums")
    body = {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [2], "data": [1.0, 2.0]},
            {"name": "y", "datatype": "FP32", "shape": [2], "data": [10.0, 20.0]},
        ]
    }
    told = (await client.post("/v2/models/m/infer", json=body)).json()
    assert told["outputs"][0]["data"] == [11.0, 22.0]
    assert told["outputs"][0]["name"] == "output-0"
    body["inputs"].append({"name": "z", "datatype": "FP32", "shape": [1], "data": [1.0]})
    refused = await client.post("/v2/models/m/infer", json=body)
    assert refused.status_code == 400
    assert "z" in refused.json()["error"]


async def test_frames_are_decoded_and_encoded(serve: Serve, write: Write) -> None:
    pytest.importorskip("pandas")
    code = """
import pandas as pd
from mlserver import MLModel
from mlserver.codecs import PandasCodec, decode_args
class M(MLModel):
    @decode_args
    async def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(twice=frame["a"] * 2, length=frame["s"].str.len())[["twice", "length"]]
class N(MLModel):
    async def predict(self, payload):
        frame = self.decode_request(payload, default_codec=PandasCodec)
        return self.encode_response(frame[["a"]].rename(columns=str.upper))
"""
    body = {
        "inputs": [
            {"name": "a", "datatype": "INT64", "shape": [2], "data": [1, 2]},
            {"name": "s", "datatype": "BYTES", "shape": [2], "data": ["x", "yz"]},
        ]
    }
    client = await serve(write(code), "model.py:M")
    told = (await client.post("/v2/models/m/infer", json=body)).json()
    assert [(o["name"], o["data"]) for o in told["outputs"]] == [
        ("twice", [2, 4]),
        ("length", [1, 2]),
    ]
    client = await serve(write(code), "model.py:N")
    told = (await client.post("/v2/models/m/infer", json=body)).json()
    assert [o["name"] for o in told["outputs"]] == ["A"]
    assert told["parameters"] == {"content_type": "pd"}


async def test_every_codec_answers(serve: Serve, write: Write) -> None:
    code = """
from datetime import datetime, timedelta
from mlserver import MLModel
from mlserver.codecs import Base64Codec, DatetimeCodec, NumpyCodec, NumpyRequestCodec
from mlserver.types import InferenceResponse
class M(MLModel):
    async def predict(self, payload):
        image, when, x = payload.inputs
        outputs = [
            Base64Codec.encode_output("image", [b[::-1] for b in Base64Codec.decode_input(image)]),
            DatetimeCodec.encode_output(
                "when", [t + timedelta(days=1) for t in DatetimeCodec.decode_input(when)]
            ),
            NumpyCodec.encode_output("x", self.decode(x, default_codec=NumpyCodec).T),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"""
    client = await serve(write(code))
    body = {
        "inputs": [
            {"name": "i", "datatype": "BYTES", "shape": [1], "data": ["YWI="]},
            {"name": "w", "datatype": "BYTES", "shape": [1], "data": ["2026-01-01T00:00:00"]},
            {"name": "x", "datatype": "INT32", "shape": [1, 2], "data": [1, 2]},
        ]
    }
    told = (await client.post("/v2/models/m/infer", json=body)).json()
    assert [o["data"] for o in told["outputs"]] == [["YmE="], ["2026-01-02T00:00:00"], [1, 2]]
    assert told["outputs"][2]["shape"] == [2, 1]


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("return False", "M.load returned False"),
        ("raise OSError('no disk')", "M: OSError: no disk"),
    ],
)
async def test_load_failures_say_why(serve: Serve, write: Write, load: str, said: str) -> None:
    code = f"from mlserver import MLModel\nclass M(MLModel):\n  async def load(self):\n    {load}"
    with pytest.raises(ModelLoadError) as caught:
        await serve(write(code))
    assert said in str(caught.value)


async def test_what_is_no_response_is_a_failure(serve: Serve, write: Write) -> None:
    code = "from mlserver import MLModel\nclass M(MLModel):\n  async def predict(self, p): return 3"
    client = await serve(write(code))
    answer = await client.post("/v2/models/m/infer", json=NAMES)
    assert (answer.status_code, "TypeError" in answer.text) == (500, True)
