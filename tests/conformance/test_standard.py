"""The mode Standard: plain Deployments, Services and autoscalers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest

from rouse.errors import NotFoundError, RejectedError
from rouse.kube.objects import Object, condition_of, owner_uids, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    PODS,
    SERVICES,
)
from tests.conformance.cluster import Cluster
from tests.conformance.models import BROKEN, SECOND
from tests.conformance.traffic import steadily

by_ingress = pytest.mark.usefixtures("istio")
"""Asks through the ingress, where this mode is only by Rouse's own VirtualServices."""


def standard(cluster: Cluster, name: str, *, mode: str = "Standard", **fields: Any) -> Object:
    annotations = {"serving.kserve.io/deploymentMode": mode, **fields.pop("annotations", {})}
    return cluster.isvc(name, annotations=annotations, **fields)


@by_ingress
@pytest.mark.parametrize("mode", ["Standard", "RawDeployment"])
async def test_predict(cluster: Cluster, name: str, mode: str) -> None:
    """A service in the mode Standard, by either name of the mode, answers through the ingress."""
    live = await cluster.deploy(standard(cluster, name, mode=mode))
    assert await cluster.label(live) == cluster.models.flower.first
    assert live["status"]["deploymentMode"] in ("Standard", "RawDeployment")


async def test_objects(cluster: Cluster, name: str) -> None:
    """It is a Deployment, a Service and a HorizontalPodAutoscaler, and nothing of Knative."""
    live = await cluster.deploy(standard(cluster, name, minReplicas=1, maxReplicas=3))
    deployment = await cluster.get(DEPLOYMENTS, f"{name}-predictor")
    assert uid_of(live) in owner_uids(deployment)
    service = await cluster.get(SERVICES, f"{name}-predictor")
    assert service["spec"]["ports"][0]["port"] == 80
    scaler = (await cluster.get(HORIZONTAL_POD_AUTOSCALERS, f"{name}-predictor"))["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 3)
    assert scaler["scaleTargetRef"]["name"] == f"{name}-predictor"
    with pytest.raises(NotFoundError):
        await cluster.get(KNATIVE_SERVICES, f"{name}-predictor")


async def test_replicas_nobody_scales(cluster: Cluster, name: str) -> None:
    """With the autoscaler class none there are minReplicas replicas and no autoscaler."""
    annotations = {"serving.kserve.io/autoscalerClass": "none"}
    await cluster.deploy(standard(cluster, name, annotations=annotations, minReplicas=2))
    deployment = await cluster.until_one(
        DEPLOYMENTS,
        f"{name}-predictor",
        lambda found: found.get("status", {}).get("readyReplicas") == 2,
    )
    assert deployment["spec"]["replicas"] == 2
    assert await cluster.find(HORIZONTAL_POD_AUTOSCALERS, f"{name}-predictor") is None


@by_ingress
async def test_update(cluster: Cluster, name: str) -> None:
    """A new model is rolled out without a failed request."""
    live = await cluster.deploy(standard(cluster, name))
    async with steadily(cluster, live) as steady:
        await cluster.apply(standard(cluster, name, model=SECOND))
        await cluster.ready(name)

        async def taken_over() -> bool:
            return await cluster.label(live) == cluster.models.flower.second

        await cluster.eventually(taken_over, timeout_s=60)
    assert steady.failures == Counter()


@by_ingress
async def test_an_update_that_fails(cluster: Cluster, name: str) -> None:
    """A model that cannot be loaded never takes over: the replicas before go on serving."""
    live = await cluster.deploy(standard(cluster, name))
    async with steadily(cluster, live) as steady:
        await cluster.apply(standard(cluster, name, model=BROKEN))

        def crashed(pods: list[Object]) -> bool:
            return "restartCount': 1" in str([pod.get("status") for pod in pods])

        label = f"serving.kserve.io/inferenceservice={name}"
        await cluster.until(PODS, crashed, labels=label)
        after = await cluster.get(INFERENCE_SERVICES, name)
    assert steady.failures == Counter()
    assert (condition_of(after, "LatestDeploymentReady") or {})["status"] != "True"
    assert (condition_of(after, "PredictorReady") or {})["status"] == "True"
    assert await cluster.label(live) == cluster.models.flower.first


@pytest.mark.cluster_only(reason="the embedded engine has no metrics server")
async def test_scaling_on_cpu(cluster: Cluster, name: str) -> None:
    """The HorizontalPodAutoscaler gets its measurements and is active."""
    groups = orjson.loads(await cluster.kube.raw("/apis"))["groups"]
    if not any(group["name"] == "metrics.k8s.io" for group in groups):
        pytest.skip("needs a metrics server: nobody serves metrics.k8s.io here")
    await cluster.deploy(standard(cluster, name, minReplicas=1, maxReplicas=2))

    def active(scaler: Object) -> bool:
        return (condition_of(scaler, "ScalingActive") or {}).get("status") == "True"

    await cluster.until_one(HORIZONTAL_POD_AUTOSCALERS, f"{name}-predictor", active, timeout_s=180)


@pytest.mark.parametrize("metric", ["concurrency", "rps"])
async def test_metrics_nobody_measures(cluster: Cluster, name: str, metric: str) -> None:
    """Scaling by concurrency or requests, which nobody measures there, is refused or told."""
    try:
        await cluster.apply(standard(cluster, name, scaleMetric=metric, scaleTarget=1))
        told = str((await cluster.told(name, "PredictorReady"))["message"])
    except RejectedError as refused:
        told = str(refused)
    assert "scaleMetric" in told


async def test_strategy(cluster: Cluster, name: str) -> None:
    """deploymentStrategy says how the Deployment is rolled out."""
    await cluster.apply(standard(cluster, name, deploymentStrategy={"type": "Recreate"}))
    deployment = await cluster.until_one(DEPLOYMENTS, f"{name}-predictor", lambda _: True)
    assert deployment["spec"]["strategy"]["type"] == "Recreate"
