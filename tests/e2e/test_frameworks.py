"""The predictors of other frameworks than scikit-learn: served, asleep, awake."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from perf.harness import Engine
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, until

ROOT = Path(__file__).parents[2]
NEEDS = {"xgboost": "xgboost", "lightgbm": "lightgbm", "onnx": "skl2onnx", "mlflow": "mlflow"}
TENSOR = {"name": "input", "datatype": "FP32", "shape": [1, 4], "data": ROW[0]}


@pytest.mark.parametrize("framework", NEEDS)
async def test_a_model_answers_sleeps_and_wakes(
    engine: Engine, client: AsyncClient, deploy: Callable[[Object], Object], framework: str
) -> None:
    if importlib.util.find_spec(NEEDS[framework]) is None:
        pytest.skip(f"{NEEDS[framework]} is not installed")
    example = ROOT / "examples" / framework
    models = engine.home.volumes / "default" / "models"
    subprocess.run(
        [sys.executable, "-W", "ignore", example / "train.py", "--out", models],
        check=True,
        cwd=ROOT,
        capture_output=True,
    )
    service = yaml.safe_load((example / "isvc.yaml").read_text())
    name = service["metadata"]["name"]
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=120)
    async with httpx.AsyncClient(
        base_url=engine.gateway, timeout=60, headers={"host": f"{name}.default.localhost"}
    ) as http:
        first = await http.post(f"/v1/models/{name}:predict", json={"instances": ROW})
        assert first.status_code == 200, first.text
        answer = await http.post(f"/v2/models/{name}/infer", json={"inputs": [TENSOR]})
        assert answer.status_code == 200, answer.text
        labels = f"serving.kserve.io/inferenceservice={name}"
        await until(client.kube, PODS, lambda pods: not pods, labels=labels, timeout_s=90)
        woken = await http.post(f"/v1/models/{name}:predict", json={"instances": ROW})
        # Who woke may be a twin, whose numbers agree to float32's last bit.
        assert flat(woken.json()) == pytest.approx(flat(first.json()), rel=1e-6)


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Every number and word of an answer, by its place."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {at: leaf for key, each in parts for at, leaf in flat(each, f"{name}.{key}").items()}
    return {name: value}
