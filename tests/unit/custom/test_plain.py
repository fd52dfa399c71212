"""Plain Python classes: what their methods are given and may return."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from predictors.serving.errors import ModelLoadError

EXAMPLES = Path(__file__).parents[3] / "examples/custom"

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
Write = Callable[..., Path]


def v2(*inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(inputs), **more}


def tensor(
    name: str, datatype: str, shape: list[int], data: list[Any], **parameters: Any
) -> dict[str, Any]:
    told = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    return {**told, "parameters": parameters} if parameters else told


X = tensor("x", "FP64", [2, 2], [1.0, 2.0, 3.0, 4.0])


async def test_the_example(serve: Serve) -> None:
    client = await serve(EXAMPLES / "plain")
    answer = await client.post("/v1/models/m:predict", json={"instances": ["a good day", "bad"]})
    assert answer.json() == {"predictions": [1.0, -1.0]}
    told = (
        await client.post("/v2/models/m/infer", json=v2(tensor("text", "BYTES", [1], ["fine"])))
    ).json()
    assert told["outputs"] == [
        {
            "name": "score",
            "datatype": "FP64",
            "shape": [1],
            "data": [0.5],
            "parameters": {"content_type": "np"},
        }
    ]
    refused = await client.post(
        "/v2/models/m/infer", json=v2(tensor("text", "BYTES", [1, 2], ["a", "b"]))
    )
    assert refused.status_code == 400
    assert "text) of shape [-1], got [1, 2]" in refused.json()["error"]
    metadata = (await client.get("/v2/models/m")).json()
    assert metadata["platform"] == "custom"
    assert metadata["inputs"][0]["name"] == "text"


@pytest.mark.parametrize(
    ("annotation", "seen"),
    [
        ("np.ndarray", "ndarray"),
        ("NDArray[np.float64]", "ndarray"),
        ("dict[str, np.ndarray]", "dict"),
        ("dict", "dict"),
        ("pd.DataFrame", "DataFrame"),
        ("list", "list"),
        ("InferenceRequest", "InferenceRequest"),
        ("", "ndarray"),
        ("'Unknown'", "ndarray"),
    ],
)
async def test_arguments_by_annotation(
    serve: Serve, write: Write, annotation: str, seen: str
) -> None:
    if "pd." in annotation:
        pytest.importorskip("pandas")
    code = f"""
import numpy as np
from numpy.typing import NDArray
from predictors.serving.inference import InferenceRequest
{"import pandas as pd" if "pd." in annotation else ""}
class Seen:
    def predict(self, x{": " + annotation if annotation else ""}):
        return [type(x).__name__]
"""
    client = await serve(write(code))
    answer = await client.post("/v2/models/m/infer", json=v2(X))
    assert answer.json()["outputs"][0]["data"] == [seen], answer.text


async def test_v1_payloads_and_rows(serve: Serve, write: Write) -> None:
    client = await serve(
        write("class M:\n  def predict(self, body: dict):\n    return {'got': body}")
    )
    body = {"anything": [1, {"b": None}]}
    answer = await client.post("/v1/models/m:predict", json=body)
    assert answer.json() == {"got": body}


async def test_columns_make_a_dict_and_a_matrix(serve: Serve, write: Write) -> None:
    rows = {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}
    client = await serve(write("class M:\n  def predict(self, x):\n    return x"))
    answer = await client.post("/v1/models/m:predict", json=rows)
    assert answer.json() == {"predictions": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}
    code = "import numpy as np\nclass M:\n  def predict(self, x: np.ndarray): return x.sum(axis=1)"
    client = await serve(write(code))
    answer = await client.post("/v1/models/m:predict", json=rows)
    assert answer.json() == {"predictions": [3, 7]}


async def test_content_types_are_decoded(serve: Serve, write: Write) -> None:
    client = await serve(
        write("class M:\n  def predict(self, x):\n    return [type(v).__name__ for v in x]")
    )
    times = tensor("t", "BYTES", [1], ["2026-01-01"], content_type="datetime")
    answer = await client.post("/v2/models/m/infer", json=v2(times))
    assert answer.json()["outputs"][0]["data"] == ["datetime"]
    raw = tensor("t", "BYTES", [1], ["%"], content_type="base64")
    answer = await client.post("/v2/models/m/infer", json=v2(raw))
    assert (answer.status_code, answer.json()["error"]) == (400, "t[0] is not base64.")


@pytest.mark.parametrize(
    ("returned", "predictions"),
    [
        ("np.ones(2)", [1.0, 1.0]),
        ("[1, 2]", [1, 2]),
        ("'text'", ["text"]),
        ("['a', 'b']", ["a", "b"]),
        (
            "{'label': ['a', 'b'], 'score': [0.1, 0.2]}",
            [{"label": "a", "score": 0.1}, {"label": "b", "score": 0.2}],
        ),
        ("[{'box': [1, 2]}]", [{"box": [1, 2]}]),
        ("np.float64(3)", [3.0]),
        ("pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
    ],
)
async def test_what_may_be_returned(
    serve: Serve, write: Write, returned: str, predictions: Any
) -> None:
    code = "import numpy as np\n" + ("import pandas as pd\n" if "pd." in returned else "")
    client = await serve(write(code + f"class M:\n  def predict(self, x):\n    return {returned}"))
    answer = await client.post("/v1/models/m:predict", json={"instances": [1]})
    assert answer.json() == {"predictions": predictions}


async def test_steps_async_and_extras(serve: Serve, write: Write) -> None:
    code = """
class M:
    async def load(self):
        self.loaded = True
    async def preprocess(self, x, headers):
        return x * int(headers["x-factor"])
    def predict(self, x, parameters):
        return x + parameters["add"]
    async def postprocess(self, y):
        return y if self.loaded else None
    def explain(self, x):
        return {"because": x.tolist()}
"""
    client = await serve(write(code))
    answer = await client.post(
        "/v2/models/m/infer", json=v2(X, parameters={"add": 1}), headers={"X-Factor": "10"}
    )
    assert answer.json()["outputs"][0]["data"] == [11.0, 21.0, 31.0, 41.0]
    answer = await client.post(
        "/v1/models/m:explain", json={"instances": [1, 2]}, headers={"X-Factor": "3"}
    )
    assert answer.json() == {"because": [3, 6]}


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_generators_stream(serve: Serve, write: Write, prefix: str) -> None:
    code = f"""
class M:
    {prefix}def predict(self, x: str):
        for word in x.split():
            yield word
"""
    client = await serve(write(code))
    body = v2(tensor("x", "BYTES", [1], ["one two three"]))
    events = []
    async with client.stream("POST", "/v2/models/m/infer_stream", json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                import orjson

                events.append(orjson.loads(line[6:])["outputs"][0]["data"])
    assert events == [["one"], ["two"], ["three"]]
    whole = await client.post("/v2/models/m/infer", json=body)
    assert whole.json()["outputs"][0]["data"] == ["onetwothree"]


async def test_blocking_code_does_not_block_the_server(serve: Serve, write: Write) -> None:
    import asyncio
    import threading

    code = """
import threading
gate = threading.Event()
entered = threading.Event()
class M:
    def predict(self, x):
        entered.set()
        assert gate.wait(20)
        return x
"""
    client = await serve(write(code))
    import sys

    module = sys.modules["model"]
    gate: threading.Event = module.gate
    asking = asyncio.create_task(client.post("/v1/models/m:predict", json={"instances": [1]}))
    await asyncio.to_thread(module.entered.wait, 20)
    assert (await client.get("/v2/health/ready")).status_code == 200
    gate.set()
    assert (await asking).json() == {"predictions": [1]}


async def test_failures_tell_the_class_only(
    serve: Serve, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(write("class M:\n  def predict(self, x):\n    raise KeyError('secret')"))
    answer = await client.post("/v1/models/m:predict", json={"instances": [1]})
    assert answer.status_code == 500
    assert answer.json()["error"] == "Model m failed with KeyError; see the predictor's log."
    assert "secret" in caplog.text
    assert 'model.py", line 3, in predict' in caplog.text


async def test_code_may_refuse_and_keep_metrics(serve: Serve, write: Write) -> None:
    code = """
from predictors.serving.errors import InvalidInputError
from predictors.serving.metrics import counter
seen = counter("plain_test_seen_total")
class M:
    def predict(self, x):
        seen.inc()
        raise InvalidInputError("instances: not today.")
"""
    client = await serve(write(code))
    answer = await client.post("/v1/models/m:predict", json={"instances": [1]})
    assert (answer.status_code, answer.json()) == (400, {"error": "instances: not today."})
    assert "plain_test_seen_total 1.0" in (await client.get("/metrics")).text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "must have one class that can be served; it has: none"),
        ("class A:\n  def predict(self, x): ...\nclass B:\n  def predict(self, x): ...", "A, B"),
        ("import nothing_like_this", "No module named 'nothing_like_this'"),
        ("class M:\n  predict = 3", "it has: none"),
        ("class M:\n  def predict(self): ...", "takes no input"),
        ("class M:\n  def predict(self, x, y): ...", "takes y, which nobody gives it"),
        ("class M:\n  def __init__(self, path): ...\n  def predict(self, x): ...", "needs path"),
        ("class M:\n  def predict(self, x: int): ...", "its input is annotated <class 'int'>"),
        (
            "class M:\n  inputs = [{'name': 'x', 'datatype': 'F', 'shape': []}]\n"
            "  def predict(self, x): ...",
            "inputs[0].datatype is 'F'",
        ),
        (
            "class M:\n  def load(self): raise OSError('no weights')\n  def predict(self, x): ...",
            "M: OSError: no weights",
        ),
        ("class M:\n  def load(self): return False\n  def predict(self, x): ...", "returned False"),
        ("raise SystemExit(3)", "exits when it is imported"),
        ("x = (", "SyntaxError"),
        ("from kserve.nothing import x", "The compatibility modules lack this: install kserve"),
    ],
)
async def test_load_failures_say_why(serve: Serve, write: Write, code: str, said: str) -> None:
    if "kserve" in code:
        try:
            import kserve

            if "compat" not in kserve.__file__:
                pytest.skip("kserve is installed")
        except ImportError:
            pass
    with pytest.raises(ModelLoadError) as caught:
        await serve(write(code))
    assert said in str(caught.value)


async def test_code_is_denied_where_code_is(
    serve: Serve, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUSE_UNSAFE_FORMATS", "deny")
    folder = write("raise AssertionError('it was run')")
    with pytest.raises(ModelLoadError, match="Python code can run any code"):
        await serve(folder)


async def test_classes_are_named(
    serve: Serve, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "class A:\n  def predict(self, x): return 'A'\nclass B:\n  def predict(self, x): return 'B'"
    )
    folder = write(code, "mine.py")
    client = await serve(folder, "mine.py:B")
    assert (await client.post("/v1/models/m:predict", json={"instances": [1]})).json() == {
        "predictions": ["B"]
    }
    monkeypatch.setenv("MODEL_CLASS", "mine:A")
    client = await serve(folder)
    assert (await client.post("/v1/models/m:predict", json={"instances": [1]})).json() == {
        "predictions": ["A"]
    }
    for named, said in (
        ("mine.py:C", "has no class C"),
        ("other.py:A", "other.py is not in"),
        ("no.such:A", "No module named"),
    ):
        with pytest.raises(ModelLoadError, match=said):
            await serve(folder, named)
