"""Namespaces that tenants share: what a quota refuses is told, and their own runtimes win."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS, INFERENCE_SERVICES, KNATIVE_SERVICES
from tests.unit.controllers.harness import Harness, harness, service

REFUSED = (
    'pods "iris-predictor-1" is forbidden: exceeded quota: team, requested: requests.cpu=1, '
    "used: requests.cpu=4, limited: requests.cpu=4"
)


@pytest.fixture
async def world() -> AsyncIterator[Harness]:
    async with harness() as running:
        yield running


async def told(world: Harness) -> list[str]:
    """What the InferenceService says is wrong, and what it says of its model."""
    status = (await world.get(INFERENCE_SERVICES))["status"]
    wrong = [one.get("message", "") for one in status["conditions"] if one["status"] == "False"]
    info = status["modelStatus"].get("lastFailureInfo") or {}
    return [*wrong, info.get("message", "")]


async def test_a_pod_that_a_quota_refuses_is_told_in_mode_knative(world: Harness) -> None:
    await world.apply(service())
    await world.settle()
    await world.knative("iris-predictor-00001", ready=False, message=REFUSED)
    await world.settle()
    assert any("exceeded quota: team" in message for message in await told(world))
    ready = await world.condition("Ready")
    assert ready["status"] == "False"
    assert "exceeded quota: team" in ready["message"]


async def test_a_pod_that_a_quota_refuses_is_told_in_mode_standard(world: Harness) -> None:
    obj = service()
    obj["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "Standard"}
    await world.apply(obj)
    await world.settle()
    live = await world.get(DEPLOYMENTS, "iris-predictor")
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": REFUSED,
    }
    status = {"observedGeneration": live["metadata"]["generation"], "conditions": [condition]}
    await world.user.replace({**live, "status": status}, subresource="status")
    await world.settle()
    latest = await world.condition("LatestDeploymentReady")
    assert (latest["status"], latest["reason"]) == ("False", "FailedCreate")
    assert "exceeded quota: team" in latest["message"]
    assert any("exceeded quota: team" in message for message in await told(world))


def runtime(namespace: str = "") -> Object:
    metadata = {"name": f"of-{namespace or 'all'}"} | (
        {"namespace": namespace} if namespace else {}
    )
    formats = [{"name": "sklearn", "version": "1", "autoSelect": True, "priority": 9}]
    container = {"name": "kserve-container", "image": f"example.com/{metadata['name']}:1"}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime" if namespace else "ClusterServingRuntime",
        "metadata": metadata,
        "spec": {"supportedModelFormats": formats, "containers": [container]},
    }


async def test_the_runtime_of_a_namespace_wins_there_and_nowhere_else(world: Harness) -> None:
    for namespace in ("team-b", "other"):
        await world.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
    await world.apply(runtime())
    await world.apply(runtime("other"))
    await world.apply(service())
    await world.settle()

    async def image() -> str:
        live = await world.get(KNATIVE_SERVICES, "iris-predictor")
        return str(live["spec"]["template"]["spec"]["containers"][0]["image"])

    assert await image() == "example.com/of-all:1"
    await world.apply(runtime("default"))
    await world.settle()
    assert await image() == "example.com/of-default:1"
