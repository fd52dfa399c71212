"""User code that asks for it is given the rows of several requests at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from predictors.serving.errors import ModelLoadError

Serve = Callable[..., Awaitable[httpx.AsyncClient]]

PLAIN = """
import numpy as np

CALLS = []

class M:
    max_batch_size = 8
    max_batch_time = 0.2

    def predict(self, x: np.ndarray) -> np.ndarray:
        CALLS.append(len(x))
        if (x == 13).any():
            raise ValueError("13 is refused")
        return x * 2

    def explain(self, x: np.ndarray):
        return {"calls": CALLS}
"""

KSERVE = """
from kserve import Model

class M(Model):
    max_batch_size = 8
    max_batch_time = 0.2

    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    def predict(self, payload, headers=None):
        rows = payload["instances"]
        return {"predictions": [[row, len(rows)] for row in rows]}
"""

MLSERVER = """
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

class M(MLModel):
    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0])
        answer = np.column_stack([rows, np.full(len(rows), len(rows))])
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("y", answer)]
        )
"""

UNEVEN = """
import numpy as np

class M:
    max_batch_size = 8
    max_batch_time = 0.2

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x.sum(axis=0, keepdims=True)
"""


def _folder(tmp_path: Path, code: str) -> Path:
    (tmp_path / "model.py").write_text(code)
    return tmp_path


async def _v1(client: httpx.AsyncClient, *rows: Any) -> httpx.Response:
    return await client.post("/v1/models/m:predict", json={"instances": list(rows)})


def _v2(value: float) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [value]}]}


async def test_a_plain_class(serve: Serve, tmp_path: Path) -> None:
    client = await serve(_folder(tmp_path, PLAIN))
    answers = await asyncio.gather(*(_v1(client, [n], [n + 20]) for n in range(4)))
    assert [answer.json() for answer in answers] == [
        {"predictions": [[2 * n], [2 * n + 40]]} for n in range(4)
    ]
    told = await client.post("/v1/models/m:explain", json={"instances": [[1]]})
    assert told.json()["calls"] == [8]  # full: nobody waited for the time to pass


async def test_a_bad_request_fails_alone(serve: Serve, tmp_path: Path) -> None:
    client = await serve(_folder(tmp_path, PLAIN))
    answers = await asyncio.gather(*(_v1(client, [n]) for n in (1, 13, 2)))
    assert [answer.status_code for answer in answers] == [200, 500, 200]


async def test_a_model_of_kserve(serve: Serve, tmp_path: Path) -> None:
    client = await serve(_folder(tmp_path, KSERVE))
    answers = await asyncio.gather(*(_v1(client, n, n) for n in range(4)))
    assert [answer.json() for answer in answers] == [
        {"predictions": [[n, 8], [n, 8]]} for n in range(4)
    ]


async def test_a_model_of_mlserver_by_its_settings(serve: Serve, tmp_path: Path) -> None:
    settings = {"name": "m", "implementation": "model.M", "max_batch_size": 3, "max_batch_time": 1}
    (tmp_path / "model-settings.json").write_text(json.dumps(settings))
    client = await serve(_folder(tmp_path, MLSERVER))
    asked = [client.post("/v2/models/m/infer", json=_v2(n)) for n in range(3)]
    answers = [answer.json() for answer in await asyncio.gather(*asked)]
    assert [answer["outputs"][0]["data"] for answer in answers] == [[n, 3.0] for n in range(3)]


async def test_a_component_with_a_batcher(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUSE_BATCH_MAX_SIZE", "2")
    monkeypatch.setenv("ROUSE_BATCH_MAX_LATENCY_MS", "1000")
    client = await serve(_folder(tmp_path, MLSERVER))
    asked = [client.post("/v2/models/m/infer", json=_v2(n)) for n in range(2)]
    answers = [answer.json() for answer in await asyncio.gather(*asked)]
    assert [answer["outputs"][0]["data"] for answer in answers] == [[n, 2.0] for n in range(2)]


async def test_answers_that_cannot_be_parted(serve: Serve, tmp_path: Path) -> None:
    client = await serve(_folder(tmp_path, UNEVEN))
    for _ in range(2):
        answers = await asyncio.gather(*(_v1(client, [n]) for n in range(3)))
        assert [answer.json() for answer in answers] == [{"predictions": [[n]]} for n in range(3)]


async def test_settings_that_are_no_numbers(serve: Serve, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="max_batch_size and max_batch_time must be numbers"):
        await serve(_folder(tmp_path, PLAIN.replace("= 8", "= 'many'")))
