"""Predictions: every protocol of the data plane through the ingress."""

from __future__ import annotations

import httpx
import numpy as np
import orjson
import pytest

from rouse.kube.objects import Object
from tests.conformance.cluster import Cluster


def v2_body(row: list[float], **fields: object) -> Object:
    return {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": row}], **fields}


async def test_v1(cluster: Cluster, iris: Object) -> None:
    """A V1 prediction through the ingress has the model's answer."""
    answer = await cluster.predict(iris, [[5.1, 3.5, 1.4, 0.2], cluster.models.flower.row])
    assert (answer.status_code, answer.json()) == (
        200,
        {"predictions": [0, cluster.models.flower.first]},
    )


async def test_v2(cluster: Cluster, iris: Object) -> None:
    """A V2 inference repeats the request's id and has typed outputs."""
    body = v2_body(cluster.models.flower.row, id="one")
    answer = await cluster.ask(iris, "POST", "/v2/models/iris/infer", json=body)
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert (told["id"], told["model_name"]) == ("one", "iris")
    assert told["outputs"][0]["data"] == [cluster.models.flower.first]
    assert told["outputs"][0]["datatype"] == "INT64"


async def test_v2_binary(cluster: Cluster, iris: Object) -> None:
    """A V2 inference takes tensors as bytes after the JSON and answers so when asked to."""
    raw = np.array([cluster.models.flower.row]).tobytes()
    head = orjson.dumps(
        {
            "inputs": [
                {
                    "name": "x",
                    "shape": [1, 4],
                    "datatype": "FP64",
                    "parameters": {"binary_data_size": len(raw)},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    )
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(head)),
    }
    answer = await cluster.ask(
        iris, "POST", "/v2/models/iris/infer", content=head + raw, headers=headers
    )
    assert answer.status_code == 200, answer.text
    length = int(answer.headers["inference-header-content-length"])
    output = orjson.loads(answer.content[:length])["outputs"][0]
    assert output["parameters"]["binary_data_size"] == 8
    labels = np.frombuffer(answer.content[length:], np.int64).tolist()
    assert labels == [cluster.models.flower.first]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/iris/ready"])
async def test_health(cluster: Cluster, iris: Object, path: str) -> None:
    """A server that serves is live and ready, and so is its model."""
    assert (await cluster.ask(iris, "GET", path)).status_code == 200


async def test_metadata(cluster: Cluster, iris: Object) -> None:
    """The metadata name the server and its extensions, the model, its inputs and outputs."""
    server = (await cluster.ask(iris, "GET", "/v2")).json()
    assert server["name"]
    assert server["version"]
    model = (await cluster.ask(iris, "GET", "/v2/models/iris")).json()
    assert model["name"] == "iris"
    for tensors in (model["inputs"], model["outputs"]):
        assert {"name", "datatype", "shape"} <= tensors[0].keys()


async def test_v1_models(cluster: Cluster, iris: Object) -> None:
    """The V1 list of models names the model, and its state says it is ready."""
    assert (await cluster.ask(iris, "GET", "/v1/models")).json()["models"] == ["iris"]
    told = (await cluster.ask(iris, "GET", "/v1/models/iris")).json()
    assert told["name"] == "iris"
    assert str(told["ready"]).lower() == "true"


@pytest.mark.parametrize("path", ["/v1/models/other:predict", "/v2/models/other/infer"])
async def test_an_unknown_model(cluster: Cluster, iris: Object, path: str) -> None:
    """A model the server does not have is a 404 that names it."""
    answer = await cluster.ask(iris, "POST", path, json={"instances": [[1, 2, 3, 4]]})
    assert answer.status_code == 404
    assert "other" in answer.json()["error"]


BODIES = {
    "not-json": b"{instances",
    "empty": b"",
    "no-instances": b"{}",
    "words-for-numbers": b'{"instances": [["a", "b", "c", "d"]]}',
    "too-few-features": b'{"instances": [[1, 2]]}',
    "ragged-rows": b'{"instances": [[1, 2, 3, 4], [1]]}',
}


@pytest.mark.parametrize("case", BODIES)
async def test_malformed_bodies(cluster: Cluster, iris: Object, case: str) -> None:
    """A body that cannot be predicted on is a 400 with the reason, not a 500 with a traceback."""
    answer = await cluster.ask(iris, "POST", "/v1/models/iris:predict", content=BODIES[case])
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert "Traceback" not in answer.text


async def test_an_unknown_host(cluster: Cluster, iris: Object) -> None:
    """A host that no service has is a 404."""
    url = iris["status"]["url"].replace("://iris", "://nobody", 1)
    answer: httpx.Response = await cluster.ask(url, "GET", "/v1/models")
    assert answer.status_code == 404
