"""Wrong input: refused or reported, with the field and what to do; nothing half-created is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from perf.harness import Engine
from rouse.errors import RejectedError
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, KNATIVE_SERVICES
from rouse.sdk import AsyncClient
from rouse.sdk.conditions import find_condition
from tests.e2e.support import ROW, isvc, until

Deploy = Callable[[Object], Object]


def with_predictor(name: str, predictor: Any) -> Object:
    made = isvc(name)
    made["spec"] = {"predictor": predictor} if predictor is not None else {}
    return made


SKLEARN = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}

REFUSED = {
    "unknown field": ({"minReplica": 0, "model": SKLEARN}, ["minReplica"]),
    "wrong type": ({"minReplicas": "zero", "model": SKLEARN}, ["minReplicas", "integer"]),
    "no predictor": (None, ["spec.predictor"]),
    "empty predictor": ({}, ["spec.predictor"]),
    "two frameworks": (
        {"sklearn": {"storageUri": "pvc://a/b"}, "xgboost": {"storageUri": "pvc://a/b"}},
        ["sklearn", "xgboost"],
    ),
    "percent of 130": ({"canaryTrafficPercent": 130, "model": SKLEARN}, ["canaryTrafficPercent"]),
    "negative replicas": ({"minReplicas": -1, "model": SKLEARN}, ["minReplicas"]),
    "unknown scheme": (
        {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "floppy://a"}},
        ["storageUri", "floppy"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused_at_apply(client: AsyncClient, name: str, case: str) -> None:
    predictor, named = REFUSED[case]
    with pytest.raises(RejectedError) as refused:
        await client.apply(with_predictor(name, predictor))
    for word in named:
        assert word in str(refused.value)
    kinds = (INFERENCE_SERVICES, KNATIVE_SERVICES)
    left = [item for kind in kinds for item in (await client.kube.list(kind, "default")).items]
    assert not [item for item in left if item["metadata"]["name"].startswith(name)]


async def test_an_unknown_format_is_reported(
    client: AsyncClient, deploy: Deploy, name: str
) -> None:
    await client.apply(deploy(isvc(name, model_format="cobol")))
    told = await _told(client, name, "PredictorReady")
    assert "cobol" in told["message"]
    assert "sklearn" in told["message"]
    services = (await client.kube.list(KNATIVE_SERVICES, "default")).items
    assert not [item for item in services if item["metadata"]["name"].startswith(name)]


@pytest.mark.parametrize("uri", ["file:///no/such/folder", "pvc://models/no-such-model"])
async def test_a_model_that_is_not_there_is_reported(
    client: AsyncClient, deploy: Deploy, name: str, uri: str
) -> None:
    await client.apply(deploy(isvc(name, uri=uri)))
    told = await _told(client, name, "LatestDeploymentReady")
    assert told["reason"]
    assert uri.removeprefix("file://") in told["message"]


async def test_a_model_that_cannot_be_loaded_leaves_the_previous_one_serving(
    engine: Engine, client: AsyncClient, deploy: Deploy, name: str
) -> None:
    broken = engine.home.volumes / "default" / "models" / f"{name}-broken"
    broken.mkdir()
    (broken / "model.joblib").write_bytes(b"this is not a pickle")
    await client.apply(deploy(isvc(name)))
    await client.wait_ready(name, timeout_s=60)
    await client.apply(isvc(name, uri=f"pvc://models/{name}-broken"))
    told = await _told(client, name, "LatestDeploymentReady")
    assert "model.joblib" in told["message"]
    assert await client.predict(name, ROW) == {"predictions": [0]}


async def _told(client: AsyncClient, name: str, kind: str) -> Object:
    """The condition of that type once it is False."""

    def reported(services: list[Object]) -> bool:
        return any(
            (find_condition(service, kind) or {}).get("status") == "False"
            for service in services
            if service["metadata"]["name"] == name
        )

    services = await until(client.kube, INFERENCE_SERVICES, reported, timeout_s=60)
    found = next(service for service in services if service["metadata"]["name"] == name)
    return find_condition(found, kind) or {}


BODIES = {
    "not JSON": (b"{instances", 400),
    "no instances": (b"{}", 400),
    "a string for numbers": (b'{"instances": [["a", "b", "c", "d"]]}', 400),
    "too few features": (b'{"instances": [[1, 2]]}', 400),
    "ragged rows": (b'{"instances": [[1, 2, 3, 4], [1]]}', 400),
    "an empty body": (b"", 400),
}


@pytest.mark.parametrize("case", BODIES)
async def test_malformed_bodies_get_a_reason(
    engine: Engine, client: AsyncClient, deploy: Deploy, name: str, case: str
) -> None:
    body, status = BODIES[case]
    await client.apply(deploy(isvc(name)))
    await client.wait_ready(name, timeout_s=60)
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=20) as http:
        answer = await http.post(f"/v1/models/{name}:predict", content=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert "Traceback" not in answer.text


async def test_an_unknown_host_is_404_with_a_hint(engine: Engine, client: AsyncClient) -> None:
    host = {"host": "nobody.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host) as http:
        answer = await http.get("/v1/models")
    assert answer.status_code == 404
    assert "nobody.default.localhost" in answer.json()["error"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("apply", "-f", "/no/such/file.yaml"), ["/no/such/file.yaml", "No such file"]),
        (("predict", "nobody", "-d", "[]"), ["nobody", "not found"]),
        (("predict", "iris", "-d", "{"), ["--data", "JSON"]),
        (("get", "unicorns"), ["unicorns", "inferenceservices"]),
        (("wait", "nobody", "--timeout", "0.1"), ["nobody", "does not exist"]),
    ],
)
def test_the_command_line_says_what_is_wrong(
    engine: Engine, args: tuple[str, ...], words: list[str]
) -> None:
    done = engine.rouse(*args, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
