"""The node and the Kubernetes API: adoption, status, deletion, events, the Node object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.node import ImageTable, Node, NodePaths, WarmPool
from rouse.errors import NotFoundError
from rouse.kube import EventRecorder, KubeClient
from rouse.kube.objects import Object, condition_of
from rouse.kube.resources import EVENTS, NODES, PODS
from tests.unit.node.harness import IMAGES, MakePod, Watched, alive, answer, quick_backoff


@dataclass
class Cluster:
    """An API and the way to start nodes on it."""

    client: KubeClient
    paths: NodePaths

    @asynccontextmanager
    async def node(self, grace_s: float = 2) -> AsyncIterator[Watched]:
        events = EventRecorder(self.client, "rouse-node")
        await events.start()
        warm = WarmPool(self.paths)
        node = Node(
            self.client,
            self.paths,
            images=ImageTable(self.paths.images_file, built_in=IMAGES),
            warm=warm,
            events=events,
            backoff=quick_backoff,
        )
        await node.start()
        try:
            yield Watched(node, self.paths, warm)
        finally:
            await node.stop(grace_s)
            await events.stop()

    async def pod(self, name: str = "iris-1") -> Object:
        return await self.client.get(PODS, name, "default")

    async def until(self, holds: Callable[[Object], object], name: str = "iris-1") -> Object:
        async with asyncio.timeout(10):
            while not holds(pod := await self.pod(name)):
                await asyncio.sleep(0.01)
        return pod

    async def until_gone(self, name: str = "iris-1") -> None:
        async with asyncio.timeout(10):
            while True:
                try:
                    await self.pod(name)
                except NotFoundError:
                    return
                await asyncio.sleep(0.01)


def is_ready(pod: Object) -> bool:
    return (condition_of(pod, "Ready") or {}).get("status") == "True"


@pytest.fixture
async def cluster(paths: NodePaths) -> AsyncIterator[Cluster]:
    async with memory_api(manifests=False) as (_, http):
        yield Cluster(KubeClient(http), paths)


async def test_a_pod_of_the_api_runs_and_its_status_says_so(
    cluster: Cluster, make_pod: MakePod
) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod())
        state = await watched.ready()
        pod = await cluster.until(is_ready)
        status = pod["status"]
        assert (status["phase"], status["podIP"]) == ("Running", "127.0.0.1")
        assert "running" in status["containerStatuses"][0]["state"]
        assert state.uid == pod["metadata"]["uid"]


async def test_a_launched_pod_is_adopted_by_its_record(cluster: Cluster, make_pod: MakePod) -> None:
    async with cluster.node() as watched:
        watched.node.launch(make_pod())
        pid = (await watched.ready()).containers[0].pid
        await cluster.client.create(make_pod())
        pod = await cluster.until(is_ready)
        assert pod["status"]["containerStatuses"][0]["containerID"] == f"process://{pid}"
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_the_status_settles(cluster: Cluster, make_pod: MakePod) -> None:
    async with cluster.node():
        await cluster.client.create(make_pod())
        version = (await cluster.until(is_ready))["metadata"]["resourceVersion"]
        await asyncio.sleep(0.2)
        assert (await cluster.pod())["metadata"]["resourceVersion"] == version


async def test_deletion_stops_it_and_takes_the_record_away(
    cluster: Cluster, make_pod: MakePod, paths: NodePaths
) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod())
        pid = (await watched.ready()).containers[0].pid
        await cluster.client.delete(PODS, "iris-1", "default")
        await cluster.until_gone()
        assert not alive(pid)
        assert watched.node.status("default", "iris-1") is None
        assert not paths.pod_log("default", "iris-1").exists()


async def test_a_shorter_grace_overtakes(cluster: Cluster, make_pod: MakePod) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod("test/warm", "iris-1", "--behave=stubborn"))
        pid = (await watched.ready()).containers[0].pid
        await cluster.client.delete(PODS, "iris-1", "default")
        await watched.until(lambda s: s.terminating)
        await cluster.until(lambda pod: "deletionTimestamp" in pod["metadata"])
        await cluster.client.delete(PODS, "iris-1", "default", grace_seconds=1)
        await cluster.until_gone()
        assert not alive(pid)


async def test_a_forced_deletion_kills(cluster: Cluster, make_pod: MakePod) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod("test/warm", "iris-1", "--behave=stubborn"))
        pid = (await watched.ready()).containers[0].pid
        await cluster.client.delete(PODS, "iris-1", "default", grace_seconds=0)
        async with asyncio.timeout(5):
            while alive(pid) or watched.node.status("default", "iris-1"):
                await asyncio.sleep(0.01)


async def test_a_stopped_launch_is_not_started_by_its_late_record(
    cluster: Cluster, make_pod: MakePod
) -> None:
    async with cluster.node() as watched:
        watched.node.launch(make_pod())
        await watched.node.stop_pod("default", "iris-1", 1)
        await cluster.client.create(make_pod())
        await cluster.client.create(make_pod(name="marker"))
        await watched.ready("marker")  # the record of the other one has been seen before
        assert watched.node.status("default", "iris-1") is None
        await cluster.client.delete(PODS, "iris-1", "default")
        await cluster.until_gone()


async def test_a_new_pod_of_the_same_name_replaces_the_old(
    cluster: Cluster, make_pod: MakePod
) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod())
        first = await watched.ready()
        await cluster.client.delete(PODS, "iris-1", "default", grace_seconds=0)
        created = await cluster.client.create(make_pod())
        second = await watched.until(
            lambda s: s.ready and s.uid == created["metadata"]["uid"], timeout=10
        )
        assert second.containers[0].pid != first.containers[0].pid
        assert not alive(first.containers[0].pid)


async def test_pods_of_another_node_are_left_alone(cluster: Cluster, make_pod: MakePod) -> None:
    async with cluster.node() as watched:
        pod = make_pod(name="elsewhere")
        pod["spec"]["nodeName"] = "other"
        await cluster.client.create(pod)
        await cluster.client.create(make_pod())
        await watched.ready()
        assert watched.node.status("default", "elsewhere") is None


async def test_a_new_engine_starts_the_pods_it_finds(cluster: Cluster, make_pod: MakePod) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod())
        await watched.ready()
        pod = await cluster.until(is_ready)
        pid = int(pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2])
    assert not alive(pid)
    async with cluster.node() as watched:
        state = await watched.ready()
        assert (await answer(state)).endswith(" iris")
        assert state.restarts == 1
        await cluster.until(lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1)


async def test_a_pod_marked_for_deletion_while_no_engine_ran_is_removed(
    cluster: Cluster, make_pod: MakePod
) -> None:
    await cluster.client.create(make_pod())
    await cluster.client.delete(PODS, "iris-1", "default")
    assert "deletionTimestamp" in (await cluster.pod())["metadata"]
    async with cluster.node():
        await cluster.until_gone()


async def test_leftovers_of_forgotten_pods_are_removed(
    cluster: Cluster, make_pod: MakePod, paths: NodePaths
) -> None:
    await cluster.client.create(make_pod())
    left = [paths.pod("default", "old"), paths.pod_log("default", "old"), paths.pods / "odd"]
    for folder in [*left, paths.pod("default", "iris-1")]:
        folder.mkdir(parents=True)
    async with cluster.node() as watched:
        await watched.ready()
        async with asyncio.timeout(5):
            while any(folder.exists() for folder in left):
                await asyncio.sleep(0.01)
        assert paths.pod("default", "iris-1").exists()


async def test_an_api_that_is_away_does_not_hold_the_end_up(
    cluster: Cluster, make_pod: MakePod
) -> None:
    async with cluster.node() as watched:
        await cluster.client.create(make_pod())
        await watched.ready()
        await cluster.client.delete(PODS, "iris-1", "default")
        await watched.until(lambda s: s.terminating)
        await cluster.client.aclose()


async def test_config_and_secrets_come_from_the_api(cluster: Cluster, make_pod: MakePod) -> None:
    metadata = {"name": "words", "namespace": "default"}
    await cluster.client.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"hello": "d29ybGQ="}}
    )
    ref = {"secretKeyRef": {"name": "words", "key": "hello"}}
    missing = {"configMapKeyRef": {"name": "later", "key": "x"}}
    async with cluster.node() as watched:
        await cluster.client.create(
            make_pod(env=[{"name": "HELLO", "valueFrom": ref}, {"name": "X", "valueFrom": missing}])
        )
        pod = await cluster.until(
            lambda p: "waiting" in str(p.get("status")) and "later" in str(p["status"])
        )
        waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
        assert waiting == {
            "reason": "CreateContainerConfigError",
            "message": 'ConfigMap "later" not found',
        }
        config = {"metadata": {"name": "later", "namespace": "default"}, "data": {"x": "1"}}
        await cluster.client.create({"apiVersion": "v1", "kind": "ConfigMap", **config})
        state = await watched.until(lambda s: s.ready and bool(s.log_tail))
        assert state.log_tail == ("serving iris HELLO=world",)


async def test_crashes_and_reasons_are_seen_through_the_api(
    cluster: Cluster, make_pod: MakePod
) -> None:
    async with cluster.node():
        await cluster.client.create(make_pod("test/warm", "iris-1", "--behave=exit"))
        await cluster.client.create(make_pod("unknown/image", "iris-2"))
        pod = await cluster.until(lambda p: "lastState" in str(p.get("status")) and _crashed(p))
        last = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
        assert (last["exitCode"], last["message"]) == (3, "serving iris HELLO=\nlast words")
        pod = await cluster.until(lambda p: "NoLocalCommand" in str(p.get("status")), "iris-2")
        assert pod["status"]["phase"] == "Pending"
        await _until_event(cluster, "iris-1", "BackOff")
        await _until_event(cluster, "iris-1", "Started")
        await _until_event(cluster, "iris-2", "NoLocalCommand")


def _crashed(pod: Object) -> bool:
    return bool(pod["status"]["containerStatuses"][0]["lastState"])


async def _until_event(cluster: Cluster, name: str, reason: str) -> None:
    async with asyncio.timeout(5):
        while True:
            events = (await cluster.client.list(EVENTS, "default")).items
            for event in events:
                if event["involvedObject"]["name"] == name and event["reason"] == reason:
                    assert event["involvedObject"]["uid"]
                    return
            await asyncio.sleep(0.02)


async def test_the_node_object(cluster: Cluster) -> None:
    async with cluster.node():
        async with asyncio.timeout(5):
            while True:
                nodes = (await cluster.client.list(NODES)).items
                if nodes and nodes[0].get("status", {}).get("conditions"):
                    break
                await asyncio.sleep(0.01)
        (node,) = nodes
        assert node["metadata"]["name"] == "rouse-local"
        assert condition_of(node, "Ready")["status"] == "True"  # type: ignore[index]
        assert int(node["status"]["capacity"]["cpu"]) >= 1
        assert node["status"]["nodeInfo"]["kubeletVersion"] == "rouse"


async def test_an_api_that_comes_back_gets_the_status(paths: NodePaths, make_pod: MakePod) -> None:
    async with memory_api(manifests=False) as (_, http):
        flaky = _Flaky(http)
        client = KubeClient(
            httpx.AsyncClient(transport=httpx.MockTransport(flaky), base_url="https://rouse.test")
        )
        cluster = Cluster(client, paths)
        async with cluster.node() as watched:
            await cluster.client.create(make_pod())
            flaky.patches_refused = 3
            await watched.ready()
            await cluster.until(is_ready)
            assert flaky.patches_refused == 0
        await client.aclose()


class _Flaky:
    """Passes requests on; refuses some status writes."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.patches_refused = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.patches_refused and request.method == "PATCH" and "/pods/" in request.url.path:
            self.patches_refused -= 1
            return httpx.Response(503, json={"kind": "Status", "message": "away"})
        copy: Any = self._http.build_request(
            request.method, request.url, content=request.content, headers=request.headers
        )
        response = await self._http.send(copy, stream="watch=" in str(request.url))
        if response.is_stream_consumed or response.is_closed:
            return httpx.Response(
                response.status_code, content=response.content, headers=response.headers
            )
        return httpx.Response(response.status_code, stream=response.stream)
