"""Canaries: shares of requests, promotion, rollback, and ways to one side of the split."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES
from tests.conformance.cluster import Cluster
from tests.conformance.models import SECOND
from tests.conformance.traffic import bounds, labels, steadily

COUNT = 500


async def test_split_rollback_and_promotion(cluster: Cluster, name: str) -> None:
    """A canary gets its share; 0 rolls back, no field promotes; no request fails meanwhile."""
    first, second = cluster.models.flower.first, cluster.models.flower.second
    live = await cluster.deploy(cluster.isvc(name))
    async with steadily(cluster, live) as steady:
        await change(cluster, name, {first, second}, canaryTrafficPercent=20)
        split = await labels(cluster, live, COUNT)
        low, high = bounds(COUNT, 20)
        assert low <= split[second] <= high, split
        await change(cluster, name, {first}, canaryTrafficPercent=0)
        assert await labels(cluster, live, COUNT) == Counter({first: COUNT})
        await change(cluster, name, {second})
        assert await labels(cluster, live, COUNT) == Counter({second: COUNT})
    assert steady.failures == Counter()
    assert steady.answers > 50


async def change(cluster: Cluster, name: str, wanted: set[int], **fields: Any) -> None:
    """Change the share of the second model and wait until the ingress has it."""
    await cluster.apply(cluster.isvc(name, model=SECOND, **fields))
    live = await cluster.ready(name)

    async def carried() -> bool:
        return set(await labels(cluster, live, 40)) == wanted

    await cluster.eventually(carried)


async def test_status_tells_the_split(cluster: Cluster, name: str) -> None:
    """The status has both revisions with their percents, tags and which was rolled out last."""
    live = await cluster.deploy(cluster.isvc(name))
    old = live["status"]["components"]["predictor"]["latestReadyRevision"]
    await cluster.apply(cluster.isvc(name, model=SECOND, canaryTrafficPercent=30))
    told = (await cluster.ready(name))["status"]["components"]["predictor"]
    new = told["latestReadyRevision"]
    shares = {each["revisionName"]: each["percent"] for each in told["traffic"]}
    assert shares == {old: 70, new: 30}
    assert told["latestRolledoutRevision"] == old
    await cluster.apply(cluster.isvc(name, model=SECOND))
    told = (await cluster.ready(name))["status"]["components"]["predictor"]
    assert told["latestRolledoutRevision"] == new
    assert told["previousRolledoutRevision"] == old


@pytest.mark.usefixtures("istio")
async def test_header_and_cookie_reach_the_canary(cluster: Cluster, name: str) -> None:
    """A request with the override header or cookie gets the canary even at 0 percent."""
    annotations = {
        "rouse.dev/canary-header": "X-Canary=always",
        "rouse.dev/canary-cookie": "canary",
    }
    live = await cluster.deploy(cluster.isvc(name, annotations=annotations))
    await cluster.apply(
        cluster.isvc(name, model=SECOND, annotations=annotations, canaryTrafficPercent=0)
    )
    await cluster.ready(name)
    first, second = cluster.models.flower.first, cluster.models.flower.second

    async def carried() -> bool:
        return await cluster.label(live, headers={"x-canary": "always"}) == second

    await cluster.eventually(carried)
    for _ in range(10):
        assert await cluster.label(live, headers={"x-canary": "always"}) == second
        assert await cluster.label(live, headers={"cookie": "a=b; canary=1"}) == second
        assert await cluster.label(live, headers={"x-canary": "never"}) == first
        assert await cluster.label(live) == first


async def test_tags_reach_each_side(cluster: Cluster, name: str) -> None:
    """The URL of each tag in the status reaches that side of the split, whatever its percent."""
    live = await cluster.deploy(cluster.isvc(name))
    await cluster.apply(cluster.isvc(name, model=SECOND, canaryTrafficPercent=10))

    def tagged(isvc: Object) -> bool:
        return all(each.get("url") for each in traffic_of(isvc)) and len(traffic_of(isvc)) == 2

    await cluster.ready(name)
    live = await cluster.until_one(INFERENCE_SERVICES, name, tagged)
    wanted = {"latest": cluster.models.flower.second, "prev": cluster.models.flower.first}
    for each in traffic_of(live):
        body = {"instances": [cluster.models.flower.row]}
        answer = await cluster.until_answer(
            each["url"],
            "POST",
            f"/v1/models/{name}:predict",
            lambda told: told.status_code == 200,
            json=body,
        )
        assert answer.json() == {"predictions": [wanted[each["tag"]]]}


def traffic_of(isvc: Object) -> list[Object]:
    components = (isvc.get("status") or {}).get("components") or {}
    return list(components.get("predictor", {}).get("traffic") or ())


async def test_a_canary_that_fails_gets_nothing(cluster: Cluster, name: str) -> None:
    """A canary whose model cannot be loaded gets no request, and the status says why."""
    live = await cluster.deploy(cluster.isvc(name))
    await cluster.apply(cluster.isvc(name, model="broken", canaryTrafficPercent=50))
    told = await cluster.told(name, "LatestDeploymentReady")
    assert "model.joblib" in told["message"]
    found = await labels(cluster, live, 100)
    assert found == Counter({cluster.models.flower.first: 100})


@pytest.mark.usefixtures("istio")
async def test_a_mirrored_canary_answers_nobody(cluster: Cluster, name: str) -> None:
    """With mirror-percent the canary gets copies, and every answer is the old model's."""
    annotations = {"rouse.dev/mirror-percent": "100"}
    live = await cluster.deploy(cluster.isvc(name, annotations=annotations))
    await cluster.apply(
        cluster.isvc(name, model=SECOND, annotations=annotations, canaryTrafficPercent=0)
    )
    await cluster.ready(name)
    found = await labels(cluster, live, 50)
    assert found == Counter({cluster.models.flower.first: 50})
