"""The DaemonSets follow services, nodes and settings, and say how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import orjson
import pytest

from rouse.controllers.inferenceservice import make_manager
from rouse.controllers.observability.metrics import Metrics
from rouse.controllers.prepull.daemonset import CHANGED, PROGRESS, container_name, images_of
from rouse.controllers.prepull.reconciler import DAEMON_SETS
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import CONFIG_MAPS, EVENTS, NODES, PODS, REVISIONS

SYSTEM = "rouse-system"
NAME = "rouse-pre-pull-any-node"
IMAGE = "repo.example.com/server@sha256:12"

NEXT = "repo.example.com/next@sha256:34"


class Cluster:
    """A user, Knative and the kubelets of an API on which the controllers run."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self.told: dict[str, Mapping[str, Mapping[str, int]]] = {}

    def note(self, pool: str, images: Mapping[str, Mapping[str, int]]) -> None:
        self.told[pool] = images

    async def settings(self, text: str) -> None:
        metadata = {"name": "rouse-config", "namespace": SYSTEM}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        await self.client.apply({**config, "data": {"prePull": text}})

    async def revision(self, name: str, image: str, *, digest: str = "") -> None:
        labels = {"serving.kserve.io/inferenceservice": "iris"}
        await self.client.apply(
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Revision",
                "metadata": {"name": name, "namespace": "default", "labels": labels},
                "spec": {"containers": [{"name": "server", "image": image}]},
            }
        )
        if digest:
            resolved = {"containerStatuses": [{"name": "server", "imageDigest": digest}]}
            await self.client.patch(
                REVISIONS, name, {"status": resolved}, namespace="default", subresource="status"
            )

    async def node(self, name: str, **images: int) -> None:
        await self.client.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        listed = [{"names": [image], "sizeBytes": size} for image, size in images.items()]
        ready = [{"type": "Ready", "status": "True"}]
        status = {"conditions": ready, "images": listed}
        await self.client.patch(NODES, name, {"status": status}, subresource="status")

    async def pod(self, node: str, state: Object, *, program: Object | None = None) -> None:
        metadata = {"name": f"pull-{node}", "namespace": SYSTEM}
        labels = {"rouse.dev/pre-pull": "any-node"}
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": labels}}
        await self.client.apply({**pod, "spec": spec})
        status = {
            "containerStatuses": [
                {
                    "name": container_name(IMAGE),
                    "image": IMAGE,
                    "imageID": "",
                    "ready": "running" in state,
                    "restartCount": 0,
                    "state": state,
                }
            ]
        }
        if program:
            first = {**status["containerStatuses"][0], "name": "program", "state": program}
            status["initContainerStatuses"] = [first]
        name = metadata["name"]
        await self.client.patch(
            PODS, name, {"status": status}, namespace=SYSTEM, subresource="status"
        )

    async def sets(self) -> dict[str, Object]:
        listed = await self.client.list(DAEMON_SETS, SYSTEM)
        return {each["metadata"]["name"]: each for each in listed.items}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with memory_api() as (_, http):
        found = Cluster(KubeClient(http, field_manager="user"))
        await found.settings("{enabled: true}")
        await found.client.apply(
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {"name": "iris", "namespace": "default"},
                "spec": {
                    "predictor": {
                        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://m/iris"}
                    }
                },
            }
        )
        async with make_manager(KubeClient(http), told_pre_pull=found.note):
            yield found


async def counts(cluster: Cluster, **wanted: int) -> None:
    """Wait until the image is told to be so on so many nodes."""
    expected = {"present": 0, "pulling": 0, "failed": 0, **wanted}
    async with asyncio.timeout(10):
        while cluster.told.get("", {}).get(IMAGE) != expected:
            await asyncio.sleep(0.01)  # the API in memory answers without giving way


async def images(cluster: Cluster, *wanted: str) -> Object:
    async with asyncio.timeout(10):
        while True:
            found = (await cluster.sets()).get(NAME, {})
            if found and set(images_of(found)) == set(wanted):
                return found
            await asyncio.sleep(0.01)


async def test_images_are_pulled_ahead_and_it_is_told_how_far(cluster: Cluster) -> None:
    await cluster.revision("iris-1", IMAGE)
    made = await images(cluster, IMAGE)
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    await cluster.node("one")
    waiting = {"reason": "ErrImagePull", "message": "no such manifest"}
    await cluster.pod("one", {"waiting": waiting})
    await counts(cluster, failed=1)
    async with asyncio.timeout(10):
        while not (told := await cluster.client.list(EVENTS, SYSTEM)).items:
            await asyncio.sleep(0.01)
    assert told.items[0]["reason"] == "PrePullFailed"
    assert told.items[0]["message"] == f"{IMAGE} cannot be pulled on one: no such manifest"
    await cluster.pod("one", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    await counts(cluster, present=1)
    async with asyncio.timeout(10):
        while True:
            live = (await cluster.sets())[NAME]
            progress = orjson.loads(live["metadata"]["annotations"][PROGRESS])
            if progress == {IMAGE: {"present": 1, "pulling": 0, "failed": 0}}:
                break
            await asyncio.sleep(0.01)
    assert live["spec"] == made["spec"]


async def test_what_the_node_lists_is_there(cluster: Cluster) -> None:
    await cluster.revision("iris-1", IMAGE)
    await images(cluster, IMAGE)
    await cluster.node("one", **{IMAGE: 10**9})
    await cluster.pod("one", {"waiting": {"reason": "PodInitializing"}})
    await counts(cluster, present=1)


async def test_a_program_that_cannot_be_had_holds_up_all_images(cluster: Cluster) -> None:
    await cluster.revision("iris-1", IMAGE)
    await images(cluster, IMAGE)
    await cluster.node("one")
    waiting = {"reason": "ImagePullBackOff", "message": "no such controller"}
    first = {"waiting": {"reason": "PodInitializing"}}
    await cluster.pod("one", first, program={"waiting": waiting})
    await counts(cluster, failed=1)
    await cluster.pod("one", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    await counts(cluster, present=1)


async def test_the_next_canary_comes_along_and_all_goes_with_the_setting(cluster: Cluster) -> None:
    await cluster.revision("iris-1", IMAGE)
    await images(cluster, IMAGE)
    await cluster.revision("iris-2", "repo.example.com/next", digest=NEXT)
    await images(cluster, IMAGE, NEXT)
    await cluster.settings("{enabled: false}")
    async with asyncio.timeout(10):
        while await cluster.sets() or cluster.told[""]:
            await asyncio.sleep(0.01)
    assert (await cluster.client.get(CONFIG_MAPS, "rouse-config", SYSTEM))["data"]


async def test_what_is_needed_no_more_waits_also_for_a_new_controller(cluster: Cluster) -> None:
    await cluster.revision("iris-1", IMAGE)
    made = await images(cluster, IMAGE)
    await cluster.client.delete(REVISIONS, "iris-1", "default")
    await cluster.node("one")  # progress is written at any time
    await cluster.pod("one", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    await counts(cluster, present=1)
    async with make_manager(cluster.client, told_pre_pull=cluster.note):
        cluster.told.clear()
        await counts(cluster, present=1)
    live = (await cluster.sets())[NAME]
    assert live["spec"] == made["spec"]
    assert live["metadata"]["annotations"][CHANGED] == made["metadata"]["annotations"][CHANGED]
    await cluster.settings("{enabled: true, settleSeconds: 0}")
    async with asyncio.timeout(10):
        while await cluster.sets():
            await asyncio.sleep(0.01)


def test_the_metric_forgets_what_is_gone() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.pre_pulled("a", {"one": {"present": 2}, "two": {"failed": 1}})
    metrics.pre_pulled("b", {"one": {"present": 1}})
    metrics.pre_pulled("a", {"two": {"failed": 0}})
    assert list(metrics.pre_pull.lines()) == [
        'rouse_prepull_nodes{pool="a",image="two",state="failed"} 0',
        'rouse_prepull_nodes{pool="b",image="one",state="present"} 1',
    ]
