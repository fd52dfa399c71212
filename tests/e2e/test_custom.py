"""Models that are code: served, asleep, awake, and named by the environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

from perf.harness import Engine
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from rouse.sdk import AsyncClient
from tests.e2e.support import isvc, until

EXAMPLES = Path(__file__).parents[2] / "examples" / "custom"


async def test_a_plain_class_answers_sleeps_and_wakes(
    engine: Engine, client: AsyncClient, deploy: Callable[[Object], Object]
) -> None:
    target = engine.home.volumes / "default" / "models" / "sentiment"
    shutil.copytree(EXAMPLES / "plain", target, dirs_exist_ok=True)
    service = yaml.safe_load((EXAMPLES / "isvc.yaml").read_text())
    name = service["metadata"]["name"]
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=120)
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, timeout=60, headers=host) as http:
        body = {"instances": ["a good day", "an awful one"]}
        answer = await http.post(f"/v1/models/{name}:predict", json=body)
        assert answer.json() == {"predictions": [1.0, -1.0]}
        labels = f"serving.kserve.io/inferenceservice={name}"
        await until(client.kube, PODS, lambda pods: not pods, labels=labels, timeout_s=90)
        woken = await http.post(f"/v1/models/{name}:predict", json=body)
        assert woken.json() == answer.json()


async def test_a_class_of_mlserver_is_named_by_the_environment(
    engine: Engine, client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> None:
    target = engine.home.volumes / "default" / "models" / "greeter"
    shutil.copytree(EXAMPLES / "mlserver", target, dirs_exist_ok=True)
    service = isvc(name, uri="pvc://models/greeter", model_format="custom")
    service["spec"]["predictor"]["model"]["protocolVersion"] = "v2"
    service["spec"]["predictor"]["model"]["env"] = [{"name": "MODEL_CLASS", "value": "models:Sums"}]
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=120)
    tensors = [
        {"name": key, "datatype": "FP64", "shape": [1], "data": [value]}
        for key, value in (("x", 1.0), ("y", 2.0))
    ]
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, timeout=60, headers=host) as http:
        answer = await http.post(f"/v2/models/{name}/infer", json={"inputs": tensors})
    assert answer.json()["outputs"][0]["data"] == [3.0], answer.text
