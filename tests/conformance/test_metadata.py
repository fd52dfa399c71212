"""Labels and annotations: which reach the pods, and which do not."""

from __future__ import annotations

import pytest

from tests.conformance.cluster import Cluster

HELD_BACK = [
    "autoscaling.knative.dev/max-scale",
    "internal.serving.kserve.io/storage-initializer-sourceuri",
    "rouse.dev/canary-header",
]


async def test_of_the_service(cluster: Cluster, name: str) -> None:
    """Labels and annotations of the service are on its pods' template."""
    isvc = cluster.isvc(name, labels={"team": "flowers"}, annotations={"example.com/cost": "7"})
    await cluster.apply(isvc)
    metadata = (await cluster.template(name))["metadata"]
    assert metadata["labels"]["team"] == "flowers"
    assert metadata["annotations"]["example.com/cost"] == "7"


async def test_of_the_component(cluster: Cluster, name: str) -> None:
    """Those of a component win over those of the service."""
    isvc = cluster.isvc(
        name,
        annotations={"example.com/cost": "7"},
        labels={"team": "flowers"},
    )
    isvc["spec"]["predictor"]["annotations"] = {"example.com/cost": "8"}
    isvc["spec"]["predictor"]["labels"] = {"team": "trees"}
    await cluster.apply(isvc)
    metadata = (await cluster.template(name))["metadata"]
    assert metadata["annotations"]["example.com/cost"] == "8"
    assert metadata["labels"]["team"] == "trees"


@pytest.mark.parametrize("key", HELD_BACK)
async def test_annotations_held_back(cluster: Cluster, name: str, key: str) -> None:
    """Annotations that say nothing about pods, or that nobody may give, do not reach them."""
    await cluster.apply(cluster.isvc(name, annotations={key: "1"}))
    annotations = (await cluster.template(name))["metadata"]["annotations"]
    assert annotations.get(key) is None


async def test_labels_held_back(cluster: Cluster, name: str) -> None:
    """Knative's label of visibility does not reach the pods."""
    key = "networking.knative.dev/visibility"
    await cluster.apply(cluster.isvc(name, labels={key: "cluster-local"}))
    assert key not in (await cluster.template(name))["metadata"]["labels"]


async def test_rouses_own(cluster: Cluster, name: str) -> None:
    """What is made of a service carries the service's name and the component, for selectors."""
    await cluster.apply(cluster.isvc(name))
    ksvc = await cluster.ksvc(name)
    for labels in (ksvc["metadata"]["labels"], ksvc["spec"]["template"]["metadata"]["labels"]):
        assert labels["serving.kserve.io/inferenceservice"] == name
        assert labels["component"] == "predictor"
