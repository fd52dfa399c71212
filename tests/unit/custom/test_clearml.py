"""ClearML-Serving's Preprocess classes, alone and around a model."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from predictors.serving.errors import ModelLoadError

EXAMPLE = Path(__file__).parents[3] / "examples/custom/clearml"

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
Write = Callable[..., Path]


async def test_the_example_around_a_model(serve: Serve, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    linear = pytest.importorskip("sklearn.linear_model")
    shutil.copy(EXAMPLE / "preprocess.py", tmp_path)
    model = linear.LinearRegression().fit([[0, 0], [1, 0], [0, 1]], [0, 2, 3])
    joblib.dump(model, tmp_path / "model.joblib")
    client = await serve(tmp_path)
    body = {"id": "a", "x0": 1, "x1": 1}
    answer = await client.post("/v1/models/m:predict", json=body)
    assert answer.json() == {"id": "a", "y": pytest.approx(5.0)}
    page = (await client.get("/metrics")).text
    assert "m:x0_count 1" in page
    assert 'm:kind{value="flower"} 1.0' in page
    assert (await client.get("/v2/models/m")).json()["parameters"] == {"served_by": "sklearn"}


CUSTOM = """
class Preprocess:
    def __init__(self):
        self.loaded = None
    def load(self, local_file_name):
        self.loaded = local_file_name.rsplit("/", 1)[-1]
        return self
    def unload(self):
        print("unloaded")
    def preprocess(self, body, state, collect_custom_statistics_fn=None):
        state["seen"] = [collect_custom_statistics_fn is None]
        return body["x"]
    def process(self, data, state, collect_custom_statistics_fn=None):
        state["seen"].append(data)
        return data + 1
    def postprocess(self, data, state, collect_custom_statistics_fn=None):
        return {"y": data, "seen": state["seen"], "file": self.loaded}
"""


async def test_process_and_state_of_a_request(
    serve: Serve, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(CUSTOM, "preprocess.py")
    (folder / "model.pkl").touch()
    monkeypatch.setenv("CLEARML_DEFAULT_METRIC_LOG_FREQ", "0")
    client = await serve(folder)
    for x in (1, 2):
        answer = await client.post("/v1/models/m:predict", json={"x": x})
        assert answer.json() == {"y": x + 1, "seen": [True, x], "file": "model.pkl"}


async def test_one_endpoint_asks_another(
    serve: Serve, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await serve(write(CUSTOM, "preprocess.py"))
    base = f"{client.base_url}/v1/models/{{endpoint}}:predict"
    monkeypatch.setenv("CLEARML_DEFAULT_BASE_SERVE_URL", base)
    code = """
class Preprocess:
    def process(self, data, state, collect_custom_statistics_fn=None):
        return {"inner": self.send_request("m", None, {"x": 5}), "none": self.send_request("no")}
"""
    outer = await serve(write(code, "preprocess.py"))
    answer = (await outer.post("/v1/models/m:predict", json={})).json()
    assert answer["inner"]["y"] == 6
    assert answer["none"] is None


async def test_v2_bodies_look_as_they_came(serve: Serve, write: Write) -> None:
    code = """
class Preprocess:
    def process(self, data, state, collect_custom_statistics_fn=None):
        return {"y": [sum(data["inputs"][0]["data"])]}
"""
    client = await serve(write(code, "preprocess.py"))
    body = {"inputs": [{"name": "x", "datatype": "INT64", "shape": [3], "data": [1, 2, 3]}]}
    told = (await client.post("/v2/models/m/infer", json=body)).json()
    assert told["outputs"][0]["data"] == [6]


async def test_steps_without_a_model_say_what_lacks(serve: Serve, write: Write) -> None:
    code = "class Preprocess:\n  def preprocess(self, body, state, fn=None): return body"
    with pytest.raises(ModelLoadError, match="holds no model of a framework"):
        await serve(write(code, "preprocess.py"))
