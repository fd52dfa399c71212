"""Who owns which field: other managers' fields stay, drift is repaired, the same twice is once."""

from __future__ import annotations

import asyncio
import copy

import pytest

from rouse.errors import ConflictError
from rouse.kube.objects import Object, condition_of, uid_of
from rouse.kube.requests import PatchKind
from rouse.kube.resources import (
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    SERVICES,
    VIRTUAL_SERVICES,
    Resource,
)
from tests.conformance.cluster import Cluster
from tests.conformance.models import SECOND


async def test_another_managers_fields(cluster: Cluster, name: str) -> None:
    """A label that another manager applies stays when the first one applies without it."""
    await cluster.apply(cluster.isvc(name))
    metadata = {"name": name, "namespace": cluster.namespace, "labels": {"team": "flowers"}}
    other = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
    }
    await cluster.apply(other, field_manager="somebody-else")
    after = await cluster.apply(cluster.isvc(name, maxReplicas=2))
    assert after["metadata"]["labels"]["team"] == "flowers"
    await cluster.ready(name)
    managers = {each["manager"] for each in after["metadata"]["managedFields"]}
    assert {"conformance", "somebody-else"} <= managers


async def test_conflicts_are_told(cluster: Cluster, name: str) -> None:
    """A field that another manager owns is a conflict that names the manager, unless forced."""
    await cluster.apply(cluster.isvc(name, maxReplicas=2))
    with pytest.raises(ConflictError) as told:
        await cluster.kube.apply(
            cluster.isvc(name, maxReplicas=3), field_manager="somebody-else", force=False
        )
    assert "conformance" in str(told.value)
    assert "maxReplicas" in str(told.value)


async def test_labels_on_what_rouse_made(cluster: Cluster, name: str) -> None:
    """What somebody else adds to an object that Rouse made stays there."""
    await cluster.deploy(cluster.isvc(name))
    patch = {"metadata": {"labels": {"audit": "seen"}}}
    child = f"{name}-predictor"
    await cluster.kube.patch(KNATIVE_SERVICES, child, patch, namespace=cluster.namespace)
    await cluster.apply(cluster.isvc(name, maxReplicas=2))
    await cluster.ready(name)
    assert (await cluster.get(KNATIVE_SERVICES, child))["metadata"]["labels"]["audit"] == "seen"


@pytest.mark.parametrize(
    "kind",
    [KNATIVE_SERVICES, SERVICES, VIRTUAL_SERVICES],
    ids=lambda kind: kind.plural,
)
async def test_a_child_that_is_deleted(cluster: Cluster, name: str, kind: Resource) -> None:
    """An object of the service that somebody deletes is made again, and the service answers."""
    live = await cluster.deploy(cluster.isvc(name))
    child = f"{name}-predictor" if kind is KNATIVE_SERVICES else name
    before = await cluster.find(kind, child)
    if before is None:
        pytest.skip(f"there are no {kind.plural} here: ingress is left to Knative")
    await cluster.delete(kind, child)
    await cluster.until_one(kind, child, lambda found: uid_of(found) != uid_of(before))

    async def answers() -> bool:
        answer = await cluster.predict(live)
        return answer.status_code == 200

    await cluster.eventually(answers, timeout_s=60)


async def test_a_child_that_is_edited(cluster: Cluster, name: str) -> None:
    """A field of Rouse's that somebody edits is put back."""
    await cluster.deploy(cluster.isvc(name))
    child = f"{name}-predictor"
    before = await cluster.get(KNATIVE_SERVICES, child)
    image = before["spec"]["template"]["spec"]["containers"][0]["image"]
    elsewhere = copy.deepcopy(before["spec"]["template"])
    elsewhere["spec"]["containers"][0]["image"] = "example.com/changed:1"
    patch = {"spec": {"template": elsewhere}}
    await cluster.kube.patch(KNATIVE_SERVICES, child, patch, namespace=cluster.namespace)
    after = await cluster.until_one(
        KNATIVE_SERVICES,
        child,
        lambda found: (
            found["spec"]["template"]["spec"]["containers"][0]["image"] == image
            and found["metadata"]["generation"] > before["metadata"]["generation"]
        ),
    )
    assert uid_of(after) == uid_of(before)
    await cluster.ready(name)


async def test_a_template_that_is_edited(cluster: Cluster, name: str) -> None:
    """A compiled template that somebody edits is put back to what the service says."""
    annotations = {"serving.kserve.io/deploymentMode": "Standard"}
    await cluster.deploy(cluster.isvc(name, annotations=annotations))
    child = f"{name}-predictor"
    image = (await cluster.get(DEPLOYMENTS, child))["spec"]["template"]["spec"]["containers"][0]
    patch = [
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/image",
            "value": "example.com/x",
        }
    ]
    await cluster.kube.patch(
        DEPLOYMENTS, child, patch, namespace=cluster.namespace, kind=PatchKind.JSON
    )

    def put_back(found: Object) -> bool:
        now = found["spec"]["template"]["spec"]["containers"][0]["image"]
        return bool(found["metadata"]["generation"] > 2 and now == image["image"])

    await cluster.until_one(DEPLOYMENTS, child, put_back)
    await cluster.ready(name)


async def test_a_status_that_is_edited(cluster: Cluster, name: str) -> None:
    """A status that somebody overwrites is told right again."""
    live = await cluster.deploy(cluster.isvc(name))
    wrong = copy.deepcopy(live)
    conditions = [{"type": "Ready", "status": "False", "reason": "Edited"}]
    patch = {"status": {"conditions": conditions, "url": "http://elsewhere"}}
    await cluster.kube.patch(
        INFERENCE_SERVICES, name, patch, namespace=cluster.namespace, subresource="status"
    )

    def right(found: Object) -> bool:
        ready = condition_of(found, "Ready") or {}
        return ready.get("status") == "True" and found["status"]["url"] == wrong["status"]["url"]

    await cluster.until_one(INFERENCE_SERVICES, name, right)


async def test_the_same_at_the_same_time(cluster: Cluster, name: str) -> None:
    """Two who apply the same at once make one service, once."""
    wanted = cluster.isvc(name)
    both = await asyncio.gather(cluster.apply(wanted), cluster.apply(wanted))
    assert uid_of(both[0]) == uid_of(both[1])
    live = await cluster.ready(name)
    assert live["metadata"]["generation"] == 1
    assert live["status"]["components"]["predictor"]["latestCreatedRevision"].endswith("-00001")


async def test_many_changes_in_a_row(cluster: Cluster, name: str) -> None:
    """Of many changes in a row the last one holds in the end."""
    live = await cluster.deploy(cluster.isvc(name))
    for model in ("iris", SECOND) * 3:
        await cluster.apply(cluster.isvc(name, model=model))
    await cluster.ready(name)

    async def last() -> bool:
        return await cluster.label(live) == cluster.models.flower.second

    await cluster.eventually(last, timeout_s=60)
