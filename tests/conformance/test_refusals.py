"""What is wrong is refused when it is applied, with the field, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.errors import RejectedError
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, KNATIVE_SERVICES
from tests.conformance.cluster import Cluster

MODEL = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
FRAMEWORK = {"storageUri": "pvc://models/iris"}

PREDICTORS: dict[str, tuple[Any, list[str]]] = {
    "wrong-type": ({"minReplicas": "zero", "model": MODEL}, ["spec.predictor.minReplicas"]),
    "text-for-an-object": ({"model": "iris"}, ["spec.predictor.model"]),
    "empty-predictor": ({}, ["spec.predictor"]),
    "unknown-scheme": ({"model": {**MODEL, "storageUri": "floppy://a"}}, ["storageUri", "floppy"]),
    "no-format": ({"model": {"storageUri": "pvc://a/b"}}, ["modelFormat"]),
    "duplicate-formats": (
        {"sklearn": FRAMEWORK, "xgboost": FRAMEWORK},
        ["spec.predictor", "sklearn", "xgboost"],
    ),
    "format-beside-model": ({"sklearn": FRAMEWORK, "model": MODEL}, ["spec.predictor", "sklearn"]),
    "percent-of-130": (
        {"canaryTrafficPercent": 130, "model": MODEL},
        ["spec.predictor.canaryTrafficPercent", "100"],
    ),
    "negative-replicas": ({"minReplicas": -1, "model": MODEL}, ["spec.predictor.minReplicas"]),
    "minimum-above-maximum": (
        {"minReplicas": 3, "maxReplicas": 2, "model": MODEL},
        ["minReplicas", "maxReplicas"],
    ),
    "negative-concurrency": (
        {"containerConcurrency": -1, "model": MODEL},
        ["spec.predictor.containerConcurrency"],
    ),
    "unknown-metric": (
        {"scaleMetric": "mood", "scaleTarget": 1, "model": MODEL},
        ["scaleMetric", "mood"],
    ),
    "two-sources": (
        {"model": {**MODEL, "storage": {"key": "minio", "path": "iris"}}},
        ["spec.predictor.model.storage"],
    ),
    "unknown-protocol": (
        {"model": {**MODEL, "protocolVersion": "v9"}},
        ["protocolVersion"],
    ),
    "logger-without-a-mode": (
        {"logger": {"mode": "sometimes", "url": "http://sink"}, "model": MODEL},
        ["spec.predictor.logger.mode"],
    ),
    "bad-quantity": (
        {"model": {**MODEL, "resources": {"limits": {"memory": "much"}}}},
        ["memory"],
    ),
}


async def refused(cluster: Cluster, isvc: Object, *words: str) -> None:
    """Applying is refused with all of these words, and nothing is there afterwards."""
    name = isvc["metadata"]["name"]
    with pytest.raises(RejectedError) as told:
        await cluster.apply(isvc)
    for word in words:
        assert word in str(told.value)
    for resource in (INFERENCE_SERVICES, KNATIVE_SERVICES):
        found = (await cluster.kube.list(resource, cluster.namespace)).items
        assert not [one for one in found if one["metadata"]["name"].startswith(name)]


@pytest.mark.parametrize("case", PREDICTORS)
async def test_predictor(cluster: Cluster, name: str, case: str) -> None:
    """A predictor that cannot be meant is refused, and the message names the field."""
    predictor, words = PREDICTORS[case]
    await refused(cluster, cluster.custom(name, predictor), *words)


async def test_no_predictor(cluster: Cluster, name: str) -> None:
    """A service without a predictor is refused."""
    isvc = cluster.isvc(name)
    isvc["spec"] = {}
    await refused(cluster, isvc, "spec.predictor")


async def test_unknown_field(cluster: Cluster, name: str) -> None:
    """Server-side apply refuses a field that the kind does not have, by its name."""
    await refused(cluster, cluster.isvc(name, minReplica=0), "minReplica")


async def test_empty_transformer_and_explainer(cluster: Cluster, name: str) -> None:
    """A transformer without a container and an explainer that explains nothing are both named."""
    isvc = cluster.custom(name, {"model": MODEL}, transformer={}, explainer={})
    await refused(cluster, isvc, "spec.transformer", "spec.explainer")


async def test_all_findings_at_once(cluster: Cluster, name: str) -> None:
    """Everything that the rules of the kind find is told in one answer."""
    isvc = cluster.custom(
        name, {"model": {**MODEL, "storage": {"key": "minio"}}}, transformer={"containers": []}
    )
    await refused(cluster, isvc, "spec.predictor.model.storage", "spec.transformer.containers")


ANNOTATIONS = {
    "unknown-mode": ("serving.kserve.io/deploymentMode", "Sometimes"),
    "neither-true-nor-false": ("serving.kserve.io/stop", "maybe"),
    "mirror-percent": ("rouse.dev/mirror-percent", "half"),
    "visibility": ("networking.kserve.io/visibility", "secret"),
    "canary-header": ("rouse.dev/canary-header", "=x"),
}


@pytest.mark.parametrize("case", ANNOTATIONS)
async def test_annotations(cluster: Cluster, name: str, case: str) -> None:
    """An annotation with a value that would be misunderstood is refused by its name."""
    key, value = ANNOTATIONS[case]
    await refused(cluster, cluster.isvc(name, annotations={key: value}), key)


async def test_a_name_that_is_no_host(cluster: Cluster, name: str) -> None:
    """A name that cannot be part of a host name is refused."""
    isvc = cluster.isvc(f"{name}.v2")
    await refused(cluster, isvc, "metadata.name")


async def test_mode_change(cluster: Cluster, name: str) -> None:
    """The mode of a live service cannot change, and the service stays as it was."""
    before = await cluster.apply(cluster.isvc(name))
    key = "serving.kserve.io/deploymentMode"
    with pytest.raises(RejectedError) as told:
        await cluster.apply(cluster.isvc(name, annotations={key: "Standard"}))
    assert key in str(told.value)
    after = await cluster.get(INFERENCE_SERVICES, name)
    assert after["spec"] == before["spec"]
    assert key not in (after["metadata"].get("annotations") or {})


async def test_a_bad_update(cluster: Cluster, name: str) -> None:
    """A refused update leaves a live service ready and answering."""
    live = await cluster.deploy(cluster.isvc(name))
    with pytest.raises(RejectedError):
        await cluster.apply(cluster.isvc(name, canaryTrafficPercent=130))
    assert await cluster.label(live) == cluster.models.flower.first
    assert (await cluster.ready(name))["metadata"]["generation"] == live["metadata"]["generation"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"supportedModelFormats": [{"name": "x"}]}, ["spec.containers"]),
        ({"containers": [{"name": "c", "image": "x"}], "mood": 1}, ["mood"]),
    ],
    ids=["no-containers", "unknown-field"],
)
async def test_runtimes(
    cluster: Cluster, name: str, spec: dict[str, Any], words: list[str]
) -> None:
    """A ServingRuntime is held to its rules too."""
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name, "namespace": cluster.namespace},
        "spec": spec,
    }
    with pytest.raises(RejectedError) as told:
        await cluster.apply(runtime)
    for word in words:
        assert word in str(told.value)
