"""Deleting a service leaves nothing of it behind."""

from __future__ import annotations

import asyncio

import pytest

from rouse.errors import NotFoundError
from rouse.kube.objects import Object, owner_uids, uid_of
from rouse.kube.resources import (
    CONFIGURATIONS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    VIRTUAL_SERVICES,
    Resource,
)
from tests.conformance.cluster import Cluster
from tests.conformance.helpers import TRANSFORMING, container
from tests.conformance.models import SECOND

KINDS = (
    KNATIVE_SERVICES,
    CONFIGURATIONS,
    ROUTES,
    REVISIONS,
    POD_AUTOSCALERS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    VIRTUAL_SERVICES,
    SERVICES,
    ENDPOINT_SLICES,
    PODS,
)


async def belonging(cluster: Cluster, name: str) -> dict[str, list[str]]:
    """What of the service is there, by kind."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        try:
            items = (await cluster.kube.list(kind, cluster.namespace)).items
        except NotFoundError:
            continue
        names = [item["metadata"]["name"] for item in items]
        mine = [one for one in names if one == name or one.startswith(f"{name}-")]
        if mine:
            found[kind.plural] = mine
    return found


async def gone(cluster: Cluster, name: str) -> None:
    for kind in KINDS:
        try:
            await cluster.until_gone(kind, name, timeout_s=120)
        except NotFoundError:
            continue
    # What a write under way has made after its kind was looked at is collected a moment later.
    async with asyncio.timeout(cluster.seconds(30)):
        while await belonging(cluster, name):
            await asyncio.sleep(0.2)


async def test_nothing_is_left(cluster: Cluster, name: str) -> None:
    """With the service go its routes, revisions, deployments, services and pods."""
    live = await cluster.deploy(cluster.isvc(name))
    await cluster.apply(cluster.isvc(name, model=SECOND, canaryTrafficPercent=50))
    await cluster.ready(name)
    assert {"services", "pods", "deployments", "revisions"} <= (
        await belonging(cluster, name)
    ).keys()
    await cluster.delete(INFERENCE_SERVICES, name)
    await gone(cluster, name)
    await cluster.until_answer(
        live, "GET", f"/v2/models/{name}", lambda answer: answer.status_code == 404
    )


async def test_nothing_is_left_in_the_mode_standard(cluster: Cluster, name: str) -> None:
    """In the mode Standard, too, everything goes with the service."""
    annotations = {"serving.kserve.io/deploymentMode": "Standard"}
    await cluster.deploy(cluster.isvc(name, annotations=annotations))
    assert "deployments" in await belonging(cluster, name)
    await cluster.delete(INFERENCE_SERVICES, name)
    await gone(cluster, name)


async def test_deleted_before_it_was_ready(cluster: Cluster, name: str) -> None:
    """A service that is deleted right after it was applied leaves nothing either."""
    await cluster.apply(cluster.isvc(name))
    await cluster.delete(INFERENCE_SERVICES, name)
    await gone(cluster, name)


async def test_deleted_and_made_again(cluster: Cluster, name: str) -> None:
    """A service of the same name as one just deleted gets objects of its own."""
    before = await cluster.deploy(cluster.isvc(name))
    await cluster.delete(INFERENCE_SERVICES, name)
    live = await cluster.deploy(cluster.isvc(name, model=SECOND))
    assert uid_of(live) != uid_of(before)

    async def anew() -> bool:
        answer = await cluster.predict(live)
        return answer.status_code == 200 and answer.json() == {
            "predictions": [cluster.models.flower.second]
        }

    await cluster.eventually(anew)
    assert uid_of(live) in owner_uids(await cluster.ksvc(name))


async def test_a_component_that_is_taken_out(cluster: Cluster, name: str) -> None:
    """A transformer that is removed from the service goes, and the predictor answers by itself."""
    front = {
        "minReplicas": 1,
        "containers": [container(TRANSFORMING, cluster.options.helper_image)],
    }
    whole: Object = cluster.isvc(name)
    whole["spec"]["transformer"] = front
    await cluster.deploy(whole)
    await cluster.apply(cluster.isvc(name))
    # Where ingress is left to Knative the URL is now the predictor's.
    live = await cluster.ready(name)
    await cluster.until_gone(KNATIVE_SERVICES, f"{name}-transformer")

    async def alone() -> bool:
        answer = await cluster.predict(live)
        return answer.status_code == 200 and "transformed" not in answer.json()

    await cluster.eventually(alone)


@pytest.mark.parametrize("kind", [KNATIVE_SERVICES, SERVICES], ids=lambda kind: kind.plural)
async def test_owned_objects_name_their_owner(
    cluster: Cluster, iris: Object, kind: Resource
) -> None:
    """What the controller makes names the service as its controlling owner."""
    items = (await cluster.kube.list(kind, cluster.namespace)).items
    mine = [item for item in items if uid_of(iris) in owner_uids(item)]
    if kind is SERVICES and not await cluster.find(SERVICES, "iris"):
        pytest.skip("there are no services here: ingress is left to Knative")
    assert mine
    (owner,) = mine[0]["metadata"]["ownerReferences"]
    assert owner["controller"] is True
    assert owner["kind"] == "InferenceService"
