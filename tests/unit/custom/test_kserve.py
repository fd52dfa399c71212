"""Subclasses of ``kserve.Model``, by whichever kserve is importable here."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from predictors.serving.errors import ModelLoadError

EXAMPLE = Path(__file__).parents[3] / "examples/custom/kserve"

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
Write = Callable[..., Path]

ROWS = {"instances": [[1, 2, 3], [4, 5, 6]]}
HEAD = "from kserve import Model\n"


async def test_the_example(serve: Serve) -> None:
    client = await serve(EXAMPLE)
    assert (await client.post("/v1/models/m:predict", json=ROWS)).json() == {
        "predictions": [4.0, 10.0]
    }
    body = {
        "id": "7",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]}],
    }
    told = (await client.post("/v2/models/m/infer", json=body)).json()
    assert told["id"] == "7"
    assert told["outputs"][0]["name"] == "means"
    assert told["outputs"][0]["data"] == [3.0]
    explained = await client.post("/v1/models/m:explain", json=ROWS)
    assert explained.json() == {"explanations": ["twice the mean", "twice the mean"]}
    refused = await client.post("/v1/models/m:predict", json={"rows": []})
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": 'the body must have "instances"'},
    )


async def test_headers_go_in_and_come_out(serve: Serve, write: Write) -> None:
    code = (
        HEAD
        + """
class M(Model):
    def __init__(self, name):
        super().__init__(name, return_response_headers=True)
    async def predict(self, payload, headers=None, response_headers=None):
        response_headers["x-seen"] = headers["x-from"]
        return {"name": self.name}
"""
    )
    client = await serve(write(code))
    answer = await client.post("/v1/models/m:predict", json={}, headers={"X-From": "here"})
    assert answer.json() == {"name": "m"}
    assert answer.headers["x-seen"] == "here"


async def test_helpers_and_streams(serve: Serve, write: Write) -> None:
    code = (
        HEAD
        + """
from kserve.utils.utils import get_predict_input, get_predict_response
class M(Model):
    def predict(self, payload, headers=None):
        return get_predict_response(payload, get_predict_input(payload) * 2, self.name)
class Streaming(Model):
    async def predict(self, payload, headers=None):
        async def parts():
            for n in range(3):
                yield {"part": n}
        return parts()
"""
    )
    client = await serve(write(code), "model.py:M")
    assert (await client.post("/v1/models/m:predict", json={"instances": [1]})).json() == {
        "predictions": [2]
    }
    body = {
        "parameters": {"binary_data_output": True},
        "inputs": [{"name": "x", "datatype": "INT64", "shape": [2], "data": [1, 2]}],
    }
    told = await client.post("/v2/models/m/infer", json=body)
    assert told.content.endswith((2).to_bytes(8, "little") + (4).to_bytes(8, "little"))
    client = await serve(write(code), "model.py:Streaming")
    answer = await client.post("/v2/models/m/infer_stream", json=body)
    assert answer.text.count("data: ") == 3


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "class M(Model):\n  def load(self): return False\n  def predict(self, p, h): ...",
            "M is not ready after load",
        ),
        ("class M(Model):\n  def __init__(self, name, weights): ...", "needs weights"),
    ],
)
async def test_load_failures_say_why(serve: Serve, write: Write, code: str, said: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        await serve(write(HEAD + code))
    assert said in str(caught.value)


async def test_failures_tell_the_class_only(serve: Serve, write: Write) -> None:
    code = HEAD + "class M(Model):\n  def predict(self, payload, headers=None): return 1 / 0"
    client = await serve(write(code))
    answer = await client.post("/v1/models/m:predict", json={})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("Model m failed with ZeroDivisionError;")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


async def _ready(client: httpx.AsyncClient, process: subprocess.Popen[bytes], model: str) -> None:
    async with asyncio.timeout(40):
        while process.poll() is None:
            try:
                if (await client.get(f"/v2/models/{model}/ready")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(f"the server ended with {process.returncode}")


@pytest.mark.parametrize("models", [1, 2])
async def test_a_file_that_starts_a_server_starts_ours(tmp_path: Path, models: int) -> None:
    file = EXAMPLE / "model.py"
    if models == 2:
        code = file.read_text().replace(
            '.start([MeanModel("means")])', '.start([MeanModel("means"), MeanModel("others")])'
        )
        file = tmp_path / "two.py"
        file.write_text(code)
    port = _free_port()
    command = [sys.executable, "-m", "predictors.custom", str(file), f"--http_port={port}"]
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": root})
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for name in ("means", "others")[:models]:
                await _ready(client, process, name)
                answer = await client.post(f"/v1/models/{name}:predict", json=ROWS)
                assert answer.json() == {"predictions": [4.0, 10.0]}
            for verb, status in (("load", 200), ("unload", 404), ("load", 200)):
                changed = await client.post(f"/v2/repository/models/means/{verb}")
                assert changed.status_code == 200, changed.text
                answer = await client.post("/v1/models/means:predict", json=ROWS)
                assert answer.status_code == status, answer.text
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        process.kill()
        process.wait()
