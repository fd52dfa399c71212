"""The plan on a cluster: models go to some nodes, follow them, and do not move without a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from rouse.api.localmodelnode.names import demand_name
from rouse.coldstart.residency import Placement
from rouse.controllers.inferenceservice import make_manager
from rouse.controllers.localmodel.sources import GROUPS, LOCAL_NODES
from rouse.controllers.observability.metrics import Metrics
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import EVENTS, NODES

URI = "https://models.example.com/iris.joblib"
GROUP: Object = {
    "apiVersion": GROUPS.api_version,
    "kind": GROUPS.kind,
    "metadata": {"name": "disks"},
    "spec": {
        "storageLimit": "10Gi",
        "persistentVolumeSpec": {
            "accessModes": ["ReadOnlyMany"],
            "capacity": {"storage": "10Gi"},
            "local": {"path": "/models"},
        },
        "persistentVolumeClaimSpec": {
            "accessModes": ["ReadOnlyMany"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
    },
}


def service(name: str, uri: str) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": uri}}},
    }


class Cluster:
    """A user of an API on which the controllers run."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self.plans: list[Placement] = []

    async def node(self, name: str, ready: str = "True") -> None:
        await self.client.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        await self.client.patch(NODES, name, {"status": status}, subresource="status")

    async def have(self) -> Mapping[str, list[str]]:
        listed = await self.client.list(LOCAL_NODES)
        return {
            each["metadata"]["name"]: [m["modelName"] for m in each["spec"]["localModels"]]
            for each in listed.items
        }

    async def until(self, *wanted: int) -> Mapping[str, list[str]]:
        """Wait until nodes have so many models, in any order."""
        async with asyncio.timeout(10):
            while True:
                found = await self.have()
                if sorted(map(len, found.values())) == sorted(wanted):
                    return found
                await asyncio.sleep(0.01)  # the API in memory answers without giving way

    async def tell(self, node: str, **told: Any) -> None:
        """What a node's agent says of the model."""
        status = {name: {f"default/{demand_name(URI)}": value} for name, value in told.items()}
        await self.client.patch(LOCAL_NODES, node, {"status": status}, subresource="status")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with memory_api() as (_, http):
        found = Cluster(KubeClient(http, field_manager="user"))
        metadata = {"name": "rouse-config", "namespace": "rouse-system"}
        data = {"modelCache": "{demand: true, copies: 1, nodeGroup: disks}"}
        await found.client.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )
        await found.client.apply(GROUP)
        for name in ("one", "two", "three"):
            await found.node(name)
        async with make_manager(KubeClient(http), told_plan=found.plans.append):
            yield found


async def test_a_model_goes_to_one_node_and_on_when_that_is_gone(cluster: Cluster) -> None:
    await cluster.client.apply(service("iris", URI))
    (first,) = await cluster.until(1)
    # What changes nothing moves nothing: another node, another model.
    await cluster.node("four")
    await cluster.client.apply(service("other", f"{URI}.other"))
    async with asyncio.timeout(10):
        while sum(map(len, (found := await cluster.have()).values())) < 2:
            await asyncio.sleep(0.01)
    assert demand_name(URI) in found[first]
    await cluster.client.delete(NODES, first)
    async with asyncio.timeout(10):
        while True:
            found = await cluster.have()
            if first not in found and any(demand_name(URI) in on for on in found.values()):
                break
            await asyncio.sleep(0.01)


async def test_a_node_that_is_away_for_a_while_keeps_what_it_has(cluster: Cluster) -> None:
    await cluster.client.apply(service("iris", URI))
    (first,) = await cluster.until(1)
    await cluster.node(first, ready="False")
    found = await cluster.until(1, 1)
    assert found[first] == [demand_name(URI)]


async def test_a_model_larger_than_every_budget_is_told_and_not_tried_again(
    cluster: Cluster,
) -> None:
    await cluster.client.apply(service("iris", URI))
    (first,) = await cluster.until(1)
    await cluster.tell(first, modelBytes=10**12)
    await cluster.until(0)
    async with asyncio.timeout(10):
        while not (told := await cluster.client.list(EVENTS, "default")).items:
            await asyncio.sleep(0.01)
    (event,) = [each for each in told.items if each["reason"] == "ModelNotKept"]
    assert "it has 1000000000000 bytes, and the largest budget is 10737418240" in event["message"]
    # The agent has forgotten its size by now.
    await cluster.client.apply(service("other", f"{URI}.other"))
    async with asyncio.timeout(10):
        while not any(f"{URI}.other" in on for plan in cluster.plans for on in plan.on.values()):
            await asyncio.sleep(0.01)
    assert not any(URI in on for on in cluster.plans[-1].on.values())


def test_metrics_of_plans() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.planned(Placement({"one": ("a", "b"), "two": ("a",)}, (), {"c": "nodes are full"}))
    text = metrics.render()
    assert "rouse_residency_copies 3\n" in text
    assert "rouse_residency_unplaced 1\n" in text
    assert "rouse_residency_moves_total 0\n" in text
