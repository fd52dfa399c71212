"""The main job: deploy, ask, split, sleep, wake; on the real engine through the real gateway."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
import pytest

from perf.disagree import Disagreement
from perf.harness import IRIS, Engine
from perf.traffic import Outcome, Target, background, send
from rouse.api.inferenceservice.lifecycle import condition_of
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, KNATIVE_SERVICES, PODS, VIRTUAL_SERVICES
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, isvc, until

Deploy = Callable[[Object], Object]


def labels(outcome: Outcome) -> Counter[int]:
    counted: Counter[int] = Counter()
    for text, times in outcome.answers.items():
        counted[orjson.loads(text)["predictions"][0]] += times
    return counted


async def test_every_way_of_asking_agrees(
    engine: Engine, client: AsyncClient, deploy: Deploy, name: str, tmp_path: Path
) -> None:
    await client.apply(deploy(isvc(name)))
    ready = await client.wait_ready(name, timeout_s=60)
    assert ready["status"]["url"] == f"http://{name}.default.localhost"
    assert await client.predict(name, ROW) == {"predictions": [0]}
    tensor = {"name": "in", "shape": [1, 4], "datatype": "FP64", "data": ROW[0]}
    answer = await client.predict(name, {"inputs": [tensor]})
    assert answer["outputs"][0]["data"] == [0]
    request = tmp_path / "request.json"
    request.write_bytes(orjson.dumps({"instances": ROW}))
    shown = engine.rouse("predict", name, "-f", str(request)).stdout
    assert orjson.loads(shown) == {"predictions": [0]}
    host = {"host": f"{name}.default.localhost:{engine.gateway_port}"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host) as http:
        metadata = (await http.get(f"/v2/models/{name}")).json()
        assert metadata["name"] == name
        assert metadata["inputs"]


async def test_the_example_is_what_the_readme_says(engine: Engine, client: AsyncClient) -> None:
    engine.rouse("apply", "-f", str(IRIS / "isvc.yaml"))
    try:
        assert "condition met" in engine.rouse("wait", "iris").stdout
        told = engine.rouse("predict", "iris", "-f", str(IRIS / "request.json")).stdout
        assert orjson.loads(told) == {"predictions": [0, 2]}
        told = engine.rouse("predict", "iris", "-f", str(IRIS / "request-v2.json")).stdout
        assert orjson.loads(told)["outputs"][0]["data"] == [0]
        table = engine.rouse("get", "isvc").stdout
        assert "http://iris.default.localhost" in table
        assert "True" in table
    finally:
        engine.rouse("delete", "-f", str(IRIS / "isvc.yaml"))
    await until(client.kube, PODS, lambda pods: not any(_of(pod, "iris") for pod in pods))


async def test_a_canary_splits_rolls_back_and_is_promoted_without_a_failure(
    engine: Engine,
    client: AsyncClient,
    deploy: Deploy,
    name: str,
    told_apart: Disagreement,
) -> None:
    target = Target.v1(engine.gateway, name, [told_apart.row])
    await client.apply(deploy(isvc(name, minReplicas=1)))
    await client.wait_ready(name, timeout_s=60)

    async def reaches(**spec: object) -> Counter[int]:
        await client.apply(isvc(name, minReplicas=1, **spec))  # type: ignore[arg-type]
        await client.wait_ready(name, timeout_s=60)
        share = spec.get("canaryTrafficPercent")
        assert isinstance(share, int | None)
        await _weights(client, name, share)
        return labels(await send(target, 1000, concurrency=4))

    async with background(target) as steady:
        split = await reaches(uri="pvc://models/iris-v2", canaryTrafficPercent=20)
        # Four standard deviations around 200: passed by chance alone 15,999 times in 16,000.
        assert abs(split[told_apart.second] - 200) <= 4 * math.sqrt(1000 * 0.2 * 0.8)
        back = await reaches(uri="pvc://models/iris-v2", canaryTrafficPercent=0)
        assert back == Counter({told_apart.first: 1000})
        promoted = await reaches(uri="pvc://models/iris-v2")
        assert promoted == Counter({told_apart.second: 1000})
    assert steady.failures == Counter()
    assert steady.total > 100


async def _weights(client: AsyncClient, name: str, share: int | None) -> None:
    """Wait until the VirtualService and the gateway behind it carry the split."""
    wanted = {100} if share in (None, 0) else {share, 100 - share}

    def carried(services: list[Object]) -> bool:
        weights = {
            route.get("weight", 100)
            for service in services
            if service["metadata"]["name"] == name
            for route in service["spec"]["http"][-1]["route"]
        }
        return weights - {0} == wanted

    await until(client.kube, VIRTUAL_SERVICES, carried)


async def test_an_idle_model_goes_to_zero_and_wakes_for_the_next_request(
    engine: Engine, client: AsyncClient, deploy: Deploy, name: str
) -> None:
    service = isvc(name)
    service["metadata"]["annotations"] = {"rouse.dev/coldstart-budget": "1m"}
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=60)
    await until(client.kube, PODS, lambda pods: not any(_of(pod, name) for pod in pods))
    woken = await client.request(name, ROW)
    assert woken.body == {"predictions": [0]}
    assert {"queue", "process", "load"} <= woken.server_timing.keys()
    assert sum(woken.server_timing.values()) > 0

    def recorded(services: list[Object]) -> bool:
        return any(
            service["metadata"]["name"] == name
            and {"load", "answer"} <= service["status"]["coldStart"]["last"]["phases"].keys()
            and service["status"]["coldStart"]["count"] == 1
            and condition_of(service, "ColdStartWithinBudget")["status"] == "True"
            for service in services
            if service.get("status", {}).get("coldStart")
        )

    await until(client.kube, INFERENCE_SERVICES, recorded, timeout_s=15)
    told = engine.rouse("coldstart", "explain", name).stdout
    assert re.search(r"^load +[\d.]+ m?s +[\d.]+ m?s +█", told, re.MULTILINE)


async def test_many_requests_to_a_sleeping_model_wake_it_once(
    engine: Engine, client: AsyncClient, deploy: Deploy, name: str
) -> None:
    await client.apply(deploy(isvc(name)))
    await client.wait_ready(name, timeout_s=60)
    await until(client.kube, PODS, lambda pods: not any(_of(pod, name) for pod in pods))
    outcome = await send(Target.v1(engine.gateway, name, ROW), 50, concurrency=50)
    assert outcome.failures == Counter()
    pods = (await client.kube.list(PODS, "default")).items
    assert sum(_of(pod, name) for pod in pods) == 1


async def test_deleting_leaves_nothing(client: AsyncClient, name: str) -> None:
    await client.apply(isvc(name))
    await client.wait_ready(name, timeout_s=60)
    await client.delete(isvc(name))
    for resource in (INFERENCE_SERVICES, KNATIVE_SERVICES, VIRTUAL_SERVICES, PODS):
        await until(
            client.kube,
            resource,
            lambda items: (
                not any(item["metadata"]["name"].startswith(f"{name}-") for item in items)
                and not any(item["metadata"]["name"] == name for item in items)
            ),
        )


@pytest.mark.parametrize("path", ["/v1/models/other:predict", "/v2/models/other/infer"])
async def test_an_unknown_model_is_404(
    engine: Engine, client: AsyncClient, deploy: Deploy, name: str, path: str
) -> None:
    await client.apply(deploy(isvc(name)))
    await client.wait_ready(name, timeout_s=60)
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host) as http:
        answer = await http.post(path, json={"instances": ROW})
    assert answer.status_code == 404
    assert "other" in answer.json()["error"]


def _of(pod: Object, name: str) -> bool:
    return bool(pod["metadata"]["labels"].get("serving.kserve.io/inferenceservice") == name)


async def test_an_api_key_opens_the_model_and_a_revoked_one_does_not(
    engine: Engine, client: AsyncClient, name: str, deploy: Deploy
) -> None:
    obj = isvc(name)
    obj["metadata"]["annotations"] = {"rouse.dev/auth": "api-key"}
    first = engine.rouse("apikey", "create", name, "--key=ann").stdout.strip()
    await client.apply(deploy(obj))
    await client.wait_ready(name, timeout_s=60)
    url = f"{engine.gateway}/v1/models/{name}:predict"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:

        async def status(host: str = f"{name}.default.localhost", **headers: str) -> int:
            sent = await http.post(url, json={"instances": ROW}, headers={"host": host, **headers})
            return sent.status_code

        assert await status() == 401
        # No other host leads around who is asked.
        inside = f"{name}.default.svc.cluster.local"
        of_predictor = f"{name}-predictor.default"
        for other in (
            *(inside, inside.upper(), f"{inside}:80", f"{name}.default", f"{name}.default.svc"),
            *(f"{of_predictor}.localhost", f"{of_predictor}.svc.cluster.local", of_predictor),
            *(f"latest-{of_predictor}.localhost", f"latest-{of_predictor}.svc.cluster.local"),
        ):
            assert await status(other) == 404, other
        assert await status(authorization="Bearer rk_guess") == 403
        assert await status(authorization=f"Bearer {first}") == 200
        second = engine.rouse("apikey", "create", name, "--key=ann", "--rotate").stdout.strip()
        async with asyncio.timeout(1):
            while await status(authorization=f"Bearer {second}") != 200:
                await asyncio.sleep(0.02)
        assert await status(authorization=f"Bearer {first}") == 200
        engine.rouse("apikey", "revoke", name, "--key=ann", "--old")
        async with asyncio.timeout(1):
            while await status(authorization=f"Bearer {first}") != 403:
                await asyncio.sleep(0.02)
        listed = engine.rouse("apikey", "list", name).stdout
    assert "ann" in listed
    assert first not in listed + (engine.home.logs / "engine.log").read_text()
    engine.rouse("apikey", "revoke", name, "--key=ann")
