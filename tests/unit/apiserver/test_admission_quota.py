"""ResourceQuotas: a pod that would exceed one is refused as Kubernetes refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import RejectedError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from tests.unit.apiserver.hooks import ANY_CONFIG_MAP, configure, serving
from tests.unit.apiserver.hooks import Object as Review


@pytest.fixture
async def client() -> AsyncIterator[KubeClient]:
    async with memory_api(manifests=False) as (_, http):
        yield KubeClient(http)


def pod(name: str, **resources: dict[str, str]) -> Object:
    container = {"name": "main", "image": "i", "resources": resources}
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container]},
    }


async def limit(client: KubeClient, **hard: str) -> None:
    named = {name.replace("_", "."): value for name, value in hard.items()}
    metadata = {"name": "team", "namespace": "default"}
    await client.create(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": named}}
    )


async def test_requests_are_added_up_and_ended_pods_are_not_counted(client: KubeClient) -> None:
    await limit(client, requests_cpu="1", pods="2")
    await client.create(pod("a", requests={"cpu": "600m"}))
    # A limit without a request is the request.
    with pytest.raises(RejectedError) as refused:
        await client.create(pod("b", limits={"cpu": "500m"}))
    assert refused.value.status == 403
    assert str(refused.value).endswith(
        'pods "b" is forbidden: exceeded quota: team, requested: requests.cpu=0.5, '
        "used: requests.cpu=0.6, limited: requests.cpu=1"
    )
    await client.create(pod("c", requests={"cpu": "400m"}))
    with pytest.raises(RejectedError, match=r"requested: pods=1,requests.cpu=0.1, used: pods=2"):
        await client.create(pod("d", requests={"cpu": "100m"}))
    live = await client.get(PODS, "a", "default")
    await client.replace({**live, "status": {"phase": "Succeeded"}}, subresource="status")
    await client.create(pod("d", requests={"cpu": "100m"}))


async def test_what_a_quota_counts_must_be_said_and_gpus_need_not(client: KubeClient) -> None:
    await client.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "team", "namespace": "default"},
            "spec": {"hard": {"limits.memory": "1Gi", "requests.nvidia.com/gpu": "1"}},
        }
    )
    with pytest.raises(
        RejectedError, match=r"failed quota: team: must specify limits.memory for: main"
    ):
        await client.create(pod("a"))
    await client.create(pod("a", limits={"memory": "512Mi", "nvidia.com/gpu": "1"}))
    await client.create(pod("b", limits={"memory": "512Mi"}))
    with pytest.raises(RejectedError, match=r"limits.memory=1073741824, limited: limits.memory"):
        await client.create(pod("c", limits={"memory": "1"}))


async def test_pods_that_wait_for_a_webhook_together_are_counted_one_by_one() -> None:
    asked = asyncio.Barrier(2)

    async def slow(_request: Review) -> Review:
        await asked.wait()
        return {"allowed": True}

    async with memory_api(manifests=False) as (_, http), serving(slow=slow) as hooks:
        client = KubeClient(http)
        await limit(client, pods="1")
        rules = [{**ANY_CONFIG_MAP, "resources": ["pods"]}]
        await configure(http, hooks.configuration("Validating", "slow", rules=rules))
        made = await asyncio.gather(
            client.create(pod("a")), client.create(pod("b")), return_exceptions=True
        )
        refused = [one for one in made if isinstance(one, RejectedError)]
        assert [one.status for one in refused] == [403]
        assert "requested: pods=1, used: pods=1, limited: pods=1" in str(refused[0])
        assert len((await client.list(PODS, "default")).items) == 1


async def test_a_pod_that_a_webhook_refuses_is_not_counted() -> None:
    async def judge(request: Review) -> Review:
        return {"allowed": request["name"] != "bad"}

    async with memory_api(manifests=False) as (_, http), serving(judge=judge) as hooks:
        client = KubeClient(http)
        await limit(client, pods="1")
        rules = [{**ANY_CONFIG_MAP, "resources": ["pods"]}]
        await configure(http, hooks.configuration("Validating", "judge", rules=rules))
        with pytest.raises(RejectedError, match="denied the request"):
            await client.create(pod("bad"))
        await client.create(pod("good"))
