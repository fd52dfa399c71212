"""Whose work it is to scale a service in the mode Standard: what the one before left goes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rouse.kube.objects import Object
from rouse.kube.resources import (
    DEPLOYMENTS,
    GATEWAYS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_SERVICES,
    SCALED_OBJECTS,
    SERVICES,
)
from tests.unit.controllers.harness import KEY, Harness, harness, service

KSERVE = "serving.kserve.io/"

# KEDA's kind, as far as it matters here: it is served.
KEDA: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "names": {
            "kind": "ScaledObject",
            "listKind": "ScaledObjectList",
            "plural": "scaledobjects",
            "singular": "scaledobject",
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


@pytest.fixture
async def world() -> AsyncIterator[Harness]:
    async with harness(KEDA) as running:
        yield running


def standard(by: str) -> Object:
    wanted = service(minReplicas=1, maxReplicas=2)
    annotations = {f"{KSERVE}deploymentMode": "Standard", f"{KSERVE}autoscalerClass": by}
    return {**wanted, "metadata": {**wanted["metadata"], "annotations": annotations}}


async def autoscalers(world: Harness) -> list[str]:
    kinds = {"hpa": HORIZONTAL_POD_AUTOSCALERS, "keda": SCALED_OBJECTS}
    return [by for by, kind in kinds.items() if await world.names(kind) == ["iris-predictor"]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hpa", "keda"),
        ("keda", "hpa"),
        ("hpa", "external"),
        ("keda", "external"),
        ("hpa", "none"),
        ("keda", "none"),
        ("external", "keda"),
        ("none", "hpa"),
    ],
)
async def test_only_the_autoscaler_of_the_class_is_there(
    world: Harness, before: str, after: str
) -> None:
    for by in (before, after):
        await world.apply(standard(by))
        await world.settle()
        assert await autoscalers(world) == [each for each in ("hpa", "keda") if each == by]
    assert await world.names(DEPLOYMENTS) == ["iris-predictor"]


@pytest.mark.parametrize("by", ["hpa", "keda", "external", "none"])
async def test_stopping_leaves_no_autoscaler(world: Harness, by: str) -> None:
    await world.apply(standard(by))
    await world.settle()
    stop = {"metadata": {"annotations": {f"{KSERVE}stop": "true"}}}
    await world.user.patch(INFERENCE_SERVICES, "iris", stop, namespace=KEY.namespace)
    await world.settle()
    assert await autoscalers(world) == []
    assert await world.names(DEPLOYMENTS) == await world.names(SERVICES) == []
    start = {"metadata": {"annotations": {f"{KSERVE}stop": None}}}
    await world.user.patch(INFERENCE_SERVICES, "iris", start, namespace=KEY.namespace)
    await world.settle()
    assert await autoscalers(world) == [each for each in ("hpa", "keda") if each == by]


async def test_the_gateway_that_all_share_is_written_once(world: Harness) -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
        "data": {"tlsSecret": "certificate", "httpsRedirect": "true"},
    }
    await world.apply(settings)
    await world.apply(service())
    assert "PATCH gateways/rouse-tls" in await world.settle()
    gateway = await world.user.get(GATEWAYS, "rouse-tls", "knative-serving")
    assert [each["port"]["number"] for each in gateway["spec"]["servers"]] == [443, 80]
    assert "ownerReferences" not in gateway["metadata"]
    assert await world.settle() == []
