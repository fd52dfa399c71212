"""Scaling: to zero and back, up under load and down again, and the limits of both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS, INFERENCE_SERVICES, KNATIVE_SERVICES, PODS
from rouse.sdk.requests import Prediction
from tests.conformance.cluster import Cluster
from tests.conformance.helpers import COUNTING, container

SHORT_WINDOW = {"autoscaling.knative.dev/window": "6s"}
"""The shortest that Knative takes; after it there is still the cluster's grace period."""
ASLEEP_S = 180.0


def selector(name: str) -> str:
    return f"serving.kserve.io/inferenceservice={name}"


def alive(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


async def asleep(cluster: Cluster, name: str) -> None:
    """Wait until no replica is left."""
    await cluster.until(PODS, lambda pods: not pods, labels=selector(name), timeout_s=ASLEEP_S)


def counting(
    cluster: Cluster,
    name: str,
    seconds: str = "0",
    *,
    annotations: Mapping[str, str] = SHORT_WINDOW,
    **predictor: object,
) -> Object:
    """A service that tells which replica answered and how many requests that had at once."""
    server = container(COUNTING, cluster.options.helper_image, SECONDS=seconds)
    return cluster.custom(name, {"containers": [server], **predictor}, annotations=annotations)


async def storm(cluster: Cluster, isvc: Object, clients: int, each: int) -> list[httpx.Response]:
    """So many clients, each asking so many times, one after the other."""
    answers: list[httpx.Response] = []

    async def ask() -> None:
        for _ in range(each):
            answers.append(await cluster.ask(isvc, "POST", "/", json={}))

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask())
    return answers


async def test_to_zero_and_back(cluster: Cluster, name: str) -> None:
    """An idle service with minReplicas 0 has no replica left, stays ready, and wakes on demand."""
    wanted = cluster.isvc(name, annotations=SHORT_WINDOW, minReplicas=0)
    live = await cluster.deploy(wanted)
    await asleep(cluster, name)
    assert (await cluster.ready(name))["status"]["url"] == live["status"]["url"]
    assert await cluster.label(live) == cluster.models.flower.first


async def test_a_wake_up_is_told(cluster: Cluster, name: str) -> None:
    """The answer that woke a model has the phases of its start in Server-Timing."""
    live = await cluster.deploy(cluster.isvc(name, annotations=SHORT_WINDOW, minReplicas=0))
    await asleep(cluster, name)
    answer = await cluster.predict(live)
    phases = Prediction(None, answer.status_code, dict(answer.headers)).server_timing
    assert {"process", "load"} <= phases.keys()
    assert sum(phases.values()) > 0


async def test_a_wake_up_is_kept(cluster: Cluster, name: str) -> None:
    """The status keeps the phases of the last wake-up."""
    live = await cluster.deploy(cluster.isvc(name, annotations=SHORT_WINDOW, minReplicas=0))
    await asleep(cluster, name)
    assert (await cluster.predict(live)).status_code == 200

    def recorded(isvc: Object) -> bool:
        return bool(isvc["status"].get("coldStart", {}).get("last", {}).get("phases"))

    # On a cluster it is gathered from the pod and the model server some seconds later.
    await cluster.until_one(INFERENCE_SERVICES, name, recorded, timeout_s=30)


async def test_many_at_zero(cluster: Cluster, name: str) -> None:
    """Many requests at zero are all answered."""
    live = await cluster.deploy(cluster.isvc(name, annotations=SHORT_WINDOW, minReplicas=0))
    await asleep(cluster, name)
    answers = await asyncio.gather(*(cluster.predict(live) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}


async def test_up_and_down(cluster: Cluster, name: str) -> None:
    """Load above the target brings replicas, up to maxReplicas; without load they go again."""
    wanted = counting(
        cluster, name, "0.3", minReplicas=1, maxReplicas=3, scaleMetric="concurrency", scaleTarget=1
    )
    live = await cluster.deploy(wanted)
    seen: set[int] = set()

    def grown(pods: list[Object]) -> bool:
        seen.add(len(alive(pods)))
        return len(alive(pods)) == 3

    watching = asyncio.create_task(cluster.until(PODS, grown, labels=selector(name), timeout_s=120))
    while not watching.done():
        answers = await storm(cluster, live, 8, 5)
        assert {answer.status_code for answer in answers} == {200}
    await watching
    await cluster.until(
        PODS, lambda pods: len(alive(pods)) == 1, labels=selector(name), timeout_s=ASLEEP_S
    )
    assert max(seen) == 3


async def test_min_replicas(cluster: Cluster, name: str) -> None:
    """minReplicas are there from the start and stay without a request."""
    await cluster.deploy(counting(cluster, name, minReplicas=2))
    pods = await cluster.until(
        PODS, lambda found: len(alive(found)) == 2, labels=selector(name), timeout_s=60
    )
    assert len(alive(pods)) == 2
    annotations = (await cluster.template(name))["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "2"


async def test_container_concurrency(cluster: Cluster, name: str) -> None:
    """With containerConcurrency 1 no replica ever has two requests; others wait their turn."""
    wanted = counting(cluster, name, "0.1", minReplicas=1, maxReplicas=2, containerConcurrency=1)
    live = await cluster.deploy(wanted)
    answers = await storm(cluster, live, 6, 4)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["most"] for answer in answers} == {1}
    assert len({answer.json()["replica"] for answer in answers}) <= 2
    assert (await cluster.template(name))["spec"]["containerConcurrency"] == 1


async def test_stop(cluster: Cluster, name: str) -> None:
    """The stop annotation takes everything down and says so; without it the service is back."""
    live = await cluster.deploy(cluster.isvc(name))
    await cluster.apply(cluster.isvc(name, annotations={"serving.kserve.io/stop": "true"}))
    told = await cluster.told(name, "Stopped", "True")
    assert told["reason"] == "Stopped"
    assert "serving.kserve.io/stop" in told["message"]
    await cluster.until_gone(KNATIVE_SERVICES, name)
    await cluster.until(PODS, lambda pods: not pods, labels=selector(name), timeout_s=120)
    await cluster.apply(cluster.isvc(name))
    await cluster.ready(name)
    answer = await cluster.until_answer(
        live, "GET", f"/v2/models/{name}/ready", lambda told: told.status_code == 200
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (
            {"scaleMetric": "concurrency", "scaleTarget": 7},
            {"metric": "concurrency", "target": "7"},
        ),
        ({"scaleMetric": "rps", "scaleTarget": 50}, {"metric": "rps", "target": "50"}),
        ({"minReplicas": 0, "maxReplicas": 4}, {"max-scale": "4"}),
    ],
    ids=["concurrency", "rps", "max"],
)
async def test_scaling_fields(
    cluster: Cluster, name: str, fields: dict[str, Any], wanted: dict[str, str]
) -> None:
    """Scaling fields reach the autoscaler as Knative's annotations on the revision."""
    await cluster.apply(cluster.isvc(name, **fields))
    annotations = (await cluster.template(name))["metadata"]["annotations"]
    for key, value in wanted.items():
        assert annotations[f"autoscaling.knative.dev/{key}"] == value


async def test_replicas_are_a_deployments(cluster: Cluster, name: str) -> None:
    """A replica belongs to a Deployment of its revision, found by the InferenceService's label."""
    live = await cluster.deploy(cluster.isvc(name))
    revision = live["status"]["components"]["predictor"]["latestReadyRevision"]
    deployment = await cluster.get(DEPLOYMENTS, f"{revision}-deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels["serving.kserve.io/inferenceservice"] == name
