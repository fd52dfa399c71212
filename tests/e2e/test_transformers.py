"""Transformers written with the library, on the real engine: asleep, in a canary, collocated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from perf.disagree import Disagreement
from perf.harness import Engine
from rouse.kube.objects import Object
from rouse.kube.resources import resource_of
from rouse.sdk import AsyncClient
from tests.e2e.support import isvc

EXAMPLE = Path(__file__).parents[2] / "examples" / "transformer" / "isvc.yaml"
RELEASE = f"{Path(__file__).with_name('servers') / 'release.py'}:Release"


def container(release: str, name: str = "kserve-container") -> Object:
    return {
        "name": name,
        "image": "ghcr.io/rouse/transformer:v0.1.0",
        "args": ["--module", RELEASE, "--option", f"release={release}"],
    }


def released(name: str, release: str, model: str, percent: int | None = None) -> Object:
    """Transformer and predictor of one release; with a percent, a canary of both."""
    service = isvc(name, uri=f"pvc://models/{model}")
    if percent is not None:
        service["spec"]["predictor"]["canaryTrafficPercent"] = percent
    service["spec"]["transformer"] = {"minReplicas": 0, "containers": [container(release)]}
    return service


async def answers(engine: Engine, name: str, row: list[float], count: int) -> Counter[object]:
    """How often which release of the transformer came with which model's answer."""
    found: Counter[object] = Counter()
    millimetres = [round(10 * value) for value in row]
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=60) as http:
        for _ in range(count):
            answer = await http.post(
                f"/v1/models/{name}:predict", json={"instances": [millimetres]}
            )
            assert answer.status_code == 200, answer.text
            said = answer.json()
            found[said["release"], said["predictions"][0]] += 1
    return found


async def test_a_request_keeps_the_side_of_the_canary_that_it_entered_by(
    engine: Engine,
    client: AsyncClient,
    deploy: Callable[[Object], Object],
    name: str,
    told_apart: Disagreement,
) -> None:
    old, new = ("one", told_apart.first), ("two", told_apart.second)
    await client.apply(deploy(released(name, "one", "iris")))
    await client.wait_ready(name, timeout_s=90)
    assert await answers(engine, name, told_apart.row, 3) == {old: 3}

    await client.apply(released(name, "two", "iris-v2", 50))
    await client.wait_ready(name, timeout_s=90)
    split = await answers(engine, name, told_apart.row, 60)
    assert set(split) == {old, new}, split

    await client.apply(released(name, "two", "iris-v2"))
    await client.wait_ready(name, timeout_s=90)
    promoted = await answers(engine, name, told_apart.row, 20)
    assert set(promoted) == {new}, promoted


async def test_errors_of_the_predictor_reach_the_client_by_its_name(
    engine: Engine, client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> None:
    await client.apply(deploy(released(name, "one", "iris")))
    await client.wait_ready(name, timeout_s=90)
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=60) as http:
        answer = await http.post(f"/v1/models/{name}:predict", json={"instances": [[1, 2]]})
    assert answer.status_code == 400
    assert f"{name}-predictor.default answered 400" in answer.json()["error"]


async def test_a_transformer_in_the_predictors_pod(
    engine: Engine,
    client: AsyncClient,
    deploy: Callable[[Object], Object],
    name: str,
    told_apart: Disagreement,
) -> None:
    service = isvc(name)
    service["spec"]["predictor"]["containers"] = [container("beside", "transformer-container")]
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=90)
    found = await answers(engine, name, told_apart.row, 3)
    assert found == {("beside", told_apart.first): 3}


@pytest.mark.parametrize("beside", [False, True], ids=["apart", "in-one-pod"])
async def test_a_transformer_asks_its_predictor_over_grpc(
    engine: Engine,
    client: AsyncClient,
    deploy: Callable[[Object], Object],
    name: str,
    told_apart: Disagreement,
    beside: bool,
) -> None:
    """As KServe's users write it: the predictor's port is named h2c, and that is all."""
    service = isvc(name)
    transformer = {
        "name": "transformer-container" if beside else "kserve-container",
        "image": "ghcr.io/rouse/transformer:v0.1.0",
        "args": ["--predictor_protocol", "grpc-v2"],
    }
    if beside:
        service["spec"]["predictor"]["containers"] = [transformer]
    else:
        port = {"name": "h2c", "protocol": "TCP", "containerPort": 8081}
        service["spec"]["predictor"]["model"]["ports"] = [port]
        service["spec"]["transformer"] = {"minReplicas": 0, "containers": [transformer]}
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=90)
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=60) as http:
        good = await http.post(f"/v1/models/{name}:predict", json={"instances": [told_apart.row]})
        bad = await http.post(f"/v1/models/{name}:predict", json={"instances": [[1, 2]]})
    # An output of V2 is n x 1, as KServe's clients have it.
    assert (good.status_code, good.json()) == (200, {"predictions": [[told_apart.first]]})
    assert bad.status_code == 400
    assert "answered INVALID_ARGUMENT" in bad.json()["error"]


async def test_the_example_runs_from_its_file(
    engine: Engine, client: AsyncClient, deploy: Callable[[Object], Object]
) -> None:
    code, service = yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8"))
    code["metadata"]["namespace"] = service["metadata"]["namespace"] = "default"
    await client.kube.create(code)
    try:
        await client.apply(deploy(service))
        await client.wait_ready("flowers", timeout_s=90)
        host = {"host": "flowers.default.localhost"}
        async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=60) as http:
            answer = await http.post(
                "/v1/models/flowers:predict", json={"flowers": [[51, 35, 14, 2]]}
            )
        assert (answer.status_code, answer.json()) == (200, {"species": ["setosa"]})
    finally:
        await client.kube.delete(resource_of(code), "millimetres", "default")
