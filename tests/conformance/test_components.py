"""Transformers and explainers: beside the predictor, in its pod, and by their own paths."""

from __future__ import annotations

import pytest

from rouse.kube.objects import Object, condition_of
from tests.conformance.cluster import Cluster
from tests.conformance.helpers import COUNTING, EXPLAINING, TRANSFORMING, container


def transformed(cluster: Cluster, name: str, **fields: int) -> Object:
    """A service with a transformer that takes millimetres."""
    isvc = cluster.isvc(name)
    server = container(TRANSFORMING, cluster.options.helper_image)
    isvc["spec"]["transformer"] = {"minReplicas": 1, "containers": [server], **fields}
    return isvc


def millimetres(cluster: Cluster) -> list[float]:
    return [round(10 * value) for value in cluster.models.flower.row]


async def test_transformer(cluster: Cluster, name: str) -> None:
    """Requests go by the transformer, which reaches its predictor by the host it is given."""
    live = await cluster.deploy(transformed(cluster, name))
    # The cluster's DNS, which the transformer asks, may know a new host a moment later.
    answer = await cluster.until_answer(
        live,
        "POST",
        f"/v1/models/{name}:predict",
        lambda told: told.status_code == 200,
        json={"instances": [millimetres(cluster)]},
    )
    assert answer.json() == {
        "predictions": [cluster.models.flower.first],
        "transformed": True,
    }


async def test_transformer_status_and_arguments(cluster: Cluster, name: str) -> None:
    """The transformer has its condition and component, and KServe's arguments."""
    live = await cluster.deploy(transformed(cluster, name))
    assert (condition_of(live, "TransformerReady") or {})["status"] == "True"
    assert live["status"]["components"]["transformer"]["latestReadyRevision"]
    args = " ".join((await cluster.template(name, "transformer"))["spec"]["containers"][0]["args"])
    for words in ("--model_name", name, "--predictor_host", f"{name}-predictor"):
        assert words in args


async def test_transformer_that_fails(cluster: Cluster, name: str) -> None:
    """A service is not ready while its transformer cannot run, and the condition is its own."""
    isvc = cluster.isvc(name)
    server = container("raise SystemExit('no units')", cluster.options.helper_image)
    isvc["spec"]["transformer"] = {"minReplicas": 1, "containers": [server]}
    await cluster.apply(isvc)
    told = await cluster.told(name, "TransformerReady")
    assert told["message"]
    await cluster.told(name, "Ready")


async def test_collocated_transformer(cluster: Cluster, name: str) -> None:
    """A transformer-container stands in the predictor's pod, before the model, at its host."""
    isvc = cluster.isvc(name)
    server = container(TRANSFORMING, cluster.options.helper_image, "transformer-container")
    server["args"] = ["--predictor_host", "localhost:8081"]
    isvc["spec"]["predictor"]["containers"] = [server]
    await cluster.apply(isvc)
    template = await cluster.template(name)
    containers = {each["name"]: each for each in template["spec"]["containers"]}
    assert containers.keys() == {"kserve-container", "transformer-container"}
    assert "ports" in containers["transformer-container"]
    assert not containers["kserve-container"].get("ports")


async def test_collocated_transformer_answers(cluster: Cluster, name: str) -> None:
    """A collocated transformer reaches its predictor within the pod and answers."""
    isvc = cluster.isvc(name)
    server = container(TRANSFORMING, cluster.options.helper_image, "transformer-container")
    isvc["spec"]["predictor"]["containers"] = [server]
    live = await cluster.deploy(isvc)
    answer = await cluster.predict(live, [millimetres(cluster)])
    assert answer.status_code == 200, answer.text
    assert answer.json()["transformed"] is True


@pytest.mark.usefixtures("istio")
async def test_explainer(cluster: Cluster, name: str) -> None:
    """:explain goes to the explainer, which asks the predictor; everything else does not."""
    isvc = cluster.isvc(name)
    server = container(EXPLAINING, cluster.options.helper_image)
    isvc["spec"]["explainer"] = {"minReplicas": 1, "containers": [server]}
    live = await cluster.deploy(isvc)
    assert (condition_of(live, "ExplainerReady") or {})["status"] == "True"
    body = {"instances": [cluster.models.flower.row]}
    answer = await cluster.until_answer(
        live,
        "POST",
        f"/v1/models/{name}:explain",
        lambda told: told.status_code == 200,
        json=body,
    )
    assert answer.json() == {"explained": [cluster.models.flower.first]}
    assert await cluster.label(live) == cluster.models.flower.first


async def test_custom_predictor(cluster: Cluster, name: str) -> None:
    """A predictor of one's own container serves without a runtime."""
    server = container(COUNTING, cluster.options.helper_image)
    live = await cluster.deploy(cluster.custom(name, {"minReplicas": 1, "containers": [server]}))
    answer = await cluster.ask(live, "POST", "/anything", json={})
    assert answer.status_code == 200
    assert answer.json()["most"] >= 1
