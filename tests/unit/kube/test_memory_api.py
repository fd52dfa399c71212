"""The room against the embedded API's core: the real semantics of writes, watches and leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)
from rouse.kube import EventRecorder, Informer, Key, KubeClient, apply_if_differs, owner_reference
from rouse.kube.client import EventType
from rouse.kube.lease import LeaderElector, LeaseTimes
from rouse.kube.objects import Object, resource_version_of
from rouse.kube.requests import PatchKind
from rouse.kube.resources import CONFIG_MAPS, EVENTS, LEASES, SERVICES


@pytest.fixture
async def client() -> AsyncIterator[KubeClient]:
    async with memory_api(manifests=False) as (_, http):
        yield KubeClient(http)


def config_map(name: str = "c", **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": data,
    }


async def test_every_verb(client: KubeClient) -> None:
    made = await client.create(config_map(a="1"))
    with pytest.raises(AlreadyExistsError):
        await client.create(config_map())
    assert (await client.get(CONFIG_MAPS, "c", "default"))["data"] == {"a": "1"}
    replaced = await client.replace({**made, "data": {"a": "2"}})
    with pytest.raises(ConflictError):
        await client.replace({**made, "data": {"a": "3"}})
    for kind, body in (
        (PatchKind.MERGE, {"data": {"b": "1"}}),
        (PatchKind.JSON, [{"op": "add", "path": "/data/c", "value": "1"}]),
        (PatchKind.STRATEGIC, {"data": {"a": None}}),
    ):
        patched = await client.patch(CONFIG_MAPS, "c", body, namespace="default", kind=kind)
    assert patched["data"] == {"b": "1", "c": "1"}
    assert resource_version_of(patched) != resource_version_of(replaced)
    with pytest.raises(ConflictError):
        await client.delete(CONFIG_MAPS, "c", "default", uid="another")
    await client.delete(CONFIG_MAPS, "c", "default")
    with pytest.raises(NotFoundError):
        await client.get(CONFIG_MAPS, "c", "default")
    with pytest.raises(RejectedError):
        await client.create(config_map("Not A Name"))


async def test_applying_owns_adds_and_removes_and_then_writes_no_more(client: KubeClient) -> None:
    owner = await client.create(config_map("owner"))
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "s",
            "namespace": "default",
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {"ports": [{"name": "http", "port": 80}], "selector": {"app": "x"}},
    }
    first = await apply_if_differs(client, service, None)
    assert first is not None
    assert await apply_if_differs(client, service, first) is None
    again = await client.apply(service)
    fewer = {**service, "spec": {"ports": [{"name": "http", "port": 80}]}}
    written = await apply_if_differs(client, fewer, first)
    assert written is not None
    assert "selector" not in written["spec"]
    assert again["metadata"]["uid"] == written["metadata"]["uid"]


async def test_pages(client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rouse.kube.client._PAGE", 2)
    for name in "abcde":
        await client.create(config_map(name, x="1"))
    found = await client.list(CONFIG_MAPS, "default", fields="metadata.name!=c")
    assert [one["metadata"]["name"] for one in found.items] == ["a", "b", "d", "e"]


async def test_a_watch_from_the_future(client: KubeClient) -> None:
    with pytest.raises(UnavailableError, match="Too large") as caught:
        await anext(client.watch(CONFIG_MAPS, resource_version="999999999", timeout_s=1))
    assert caught.value.status == 504


async def test_an_informer_follows(client: KubeClient) -> None:
    await client.create(config_map("before"))
    changes: asyncio.Queue[str] = asyncio.Queue()
    informer = Informer(client, CONFIG_MAPS, "default")

    def note(type_: EventType, obj: Object) -> None:
        changes.put_nowait(f"{type_} {obj['metadata']['name']}")

    informer.add_handler(note)
    await informer.start()
    await informer.synced(5)
    await client.create(config_map("x"))
    await client.apply(config_map("x", a="1"))
    await client.delete(CONFIG_MAPS, "x", "default")
    async with asyncio.timeout(10):
        seen = [await changes.get() for _ in range(4)]
    await informer.stop()
    assert seen == ["ADDED before", "ADDED x", "MODIFIED x", "DELETED x"]
    assert informer.get(Key("default", "x")) is None
    assert informer.last_error is None


async def test_events_are_written_and_counted(client: KubeClient) -> None:
    about = await client.create(config_map())
    recorder = EventRecorder(client, "test")
    await recorder.start()
    for _ in range(3):
        recorder.emit(about, "Warning", "Broken", "it broke")
    recorder.emit(about, "Normal", "Mended", "it works")
    assert await recorder.flush(5)
    await recorder.stop()
    assert recorder.dropped == 0
    events = (await client.list(EVENTS, "default")).items
    assert {(one["reason"], one["count"]) for one in events} == {("Broken", 3), ("Mended", 1)}
    assert events[0]["involvedObject"]["uid"] == about["metadata"]["uid"]


async def test_one_of_two_leads(client: KubeClient) -> None:
    key = Key("default", "leader")
    times = LeaseTimes(duration=3.0, renew=2.0, retry=0.01)
    first, second = (LeaderElector(client, key, name, times=times) for name in ("one", "two"))
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(0.05)
    assert (first.is_leader, second.is_leader) == (True, False)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await first.release()
    async with asyncio.timeout(5):
        await waiting
    assert (first.is_leader, second.is_leader) == (False, True)
    lease = await client.get(LEASES, "leader", "default")
    assert lease["spec"]["holderIdentity"] == "two"
    assert lease["spec"]["leaseTransitions"] == 1
    await client.delete(LEASES, "leader", "default")
    assert (await client.list(SERVICES, "default")).resource_version
