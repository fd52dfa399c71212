"""curl, and the genuine REST clients of KServe, MLServer and Triton, against a real predictor."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import joblib
import orjson
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from rouse.embedded.ports import free_port
from tests.compat.environments import python_with, run

SCRIPTS = Path(__file__).parent / "clients"
ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """Where a sklearn server with the model iris answers."""
    estimator = LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True))
    joblib.dump(estimator, tmp_path / "model.joblib")
    chosen = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "predictors.sklearn",
        "--model_name=iris",
        f"--model_dir={tmp_path}",
        f"--http_port={chosen}",
    )
    try:
        await ready(chosen)
        yield chosen
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def ready(port: int) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/v2/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def test_curl(port: int) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    base = f"http://127.0.0.1:{port}"
    body = orjson.dumps({"instances": [ROW]}).decode()
    answer = await run("curl", "-sf", f"{base}/v1/models/iris:predict", "-d", body)
    assert orjson.loads(answer) == {"predictions": [0]}
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
    body = orjson.dumps({"inputs": [tensor]}).decode()
    answer = await run("curl", "-sf", f"{base}/v2/models/iris/infer", "-d", body)
    assert orjson.loads(answer)["outputs"][0]["data"] == [0]


@pytest.mark.parametrize(
    ("package", "script"), [("kserve", "kserve_rest"), ("tritonclient", "tritonclient_http")]
)
async def test_a_client_is_served(port: int, package: str, script: str) -> None:
    await run(python_with(package), str(SCRIPTS / f"{script}.py"), str(port))


async def test_mlserver_infer(port: int, tmp_path: Path) -> None:
    mlserver = Path(python_with("mlserver")).with_name("mlserver")
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
    requests, answers = tmp_path / "requests.jsonl", tmp_path / "answers.jsonl"
    requests.write_bytes(b"\n".join([orjson.dumps({"inputs": [tensor]})] * 3))
    options = [f"--url=127.0.0.1:{port}", "--model-name=iris", "--workers=2"]
    options += [f"--input-data-path={requests}", f"--output-data-path={answers}"]
    await run(str(mlserver), "infer", *options)
    answered = [orjson.loads(line) for line in answers.read_bytes().splitlines()]
    assert [one["outputs"][0]["data"] for one in answered] == [[0]] * 3
