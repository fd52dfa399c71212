"""Changing a live service: a new revision, or the one before goes on serving."""

from __future__ import annotations

from collections import Counter

from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, REVISIONS
from tests.conformance.cluster import Cluster
from tests.conformance.models import BROKEN, SECOND
from tests.conformance.traffic import steadily


def revision_of(isvc: Object) -> str:
    return str(isvc["status"]["components"]["predictor"]["latestReadyRevision"])


async def test_a_new_model(cluster: Cluster, name: str) -> None:
    """A new model is a new revision that takes over without a failed request."""
    live = await cluster.deploy(cluster.isvc(name))
    async with steadily(cluster, live) as steady:
        await cluster.apply(cluster.isvc(name, model=SECOND))
        changed = await cluster.ready(name)

        async def taken_over() -> bool:
            return await cluster.label(live) == cluster.models.flower.second

        await cluster.eventually(taken_over)
    assert steady.failures == Counter()
    assert revision_of(changed) != revision_of(live)
    assert await cluster.get(REVISIONS, revision_of(live))


async def test_what_makes_no_revision(cluster: Cluster, name: str) -> None:
    """A change that only steers requests, such as the canary's header, makes no revision."""
    live = await cluster.deploy(cluster.isvc(name))
    annotations = {"rouse.dev/canary-header": "X-Canary"}
    await cluster.apply(cluster.isvc(name, annotations=annotations))
    changed = await cluster.ready(name)
    assert revision_of(changed) == revision_of(live)


async def test_a_model_that_cannot_be_loaded(cluster: Cluster, name: str) -> None:
    """A model that cannot be loaded is told with its file; the one before goes on serving."""
    live = await cluster.deploy(cluster.isvc(name))
    async with steadily(cluster, live) as steady:
        await cluster.apply(cluster.isvc(name, model=BROKEN))
        told = await cluster.told(name, "LatestDeploymentReady")
        assert told["reason"]
        assert "model.joblib" in told["message"]

        def failed(isvc: Object) -> bool:
            return isvc["status"]["modelStatus"].get("lastFailureInfo") is not None

        after = await cluster.until_one(INFERENCE_SERVICES, name, failed)
    assert steady.failures == Counter()
    assert await cluster.label(live) == cluster.models.flower.first
    state = after["status"]["modelStatus"]
    assert state["transitionStatus"] == "BlockedByFailedLoad"
    assert state["states"] == {"activeModelState": "Loaded", "targetModelState": "FailedToLoad"}
    assert state["lastFailureInfo"]["reason"] == "ModelLoadFailed"
    assert "model.joblib" in state["lastFailureInfo"]["message"]


async def test_recovery_from_a_failed_update(cluster: Cluster, name: str) -> None:
    """After a failed update the next good one is rolled out."""
    live = await cluster.deploy(cluster.isvc(name))
    await cluster.apply(cluster.isvc(name, model=BROKEN))
    await cluster.told(name, "LatestDeploymentReady")
    await cluster.apply(cluster.isvc(name, model=SECOND))
    await cluster.ready(name)

    async def taken_over() -> bool:
        return await cluster.label(live) == cluster.models.flower.second

    await cluster.eventually(taken_over)


async def test_a_first_model_that_cannot_be_loaded(cluster: Cluster, name: str) -> None:
    """A service whose first model cannot be loaded is not ready and says why."""
    await cluster.apply(cluster.isvc(name, model=BROKEN))
    told = await cluster.told(name, "PredictorReady")
    assert "model.joblib" in told["message"]
    live = await cluster.get(INFERENCE_SERVICES, name)
    assert live["status"]["modelStatus"]["states"]["activeModelState"] == "FailedToLoad"


async def test_a_model_that_is_not_there(cluster: Cluster, name: str) -> None:
    """A model that is not where its URI says is told with the place."""
    await cluster.apply(cluster.isvc(name, model="no-such-model"))
    told = await cluster.told(name, "LatestDeploymentReady")
    assert "no-such-model" in told["message"]


async def test_an_update_that_cannot_be_compiled(cluster: Cluster, name: str) -> None:
    """An update nobody can serve is told in the status, and what was there goes on serving."""
    live = await cluster.deploy(cluster.isvc(name))
    await cluster.apply(cluster.isvc(name, model_fields={"modelFormat": {"name": "cobol"}}))
    await cluster.told(name, "PredictorReady")
    assert await cluster.label(live) == cluster.models.flower.first
