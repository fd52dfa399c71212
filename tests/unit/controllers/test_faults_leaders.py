"""Two processes where one should be, clocks that disagree, and objects that can never succeed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from rouse.controllers.inferenceservice import make_manager
from rouse.errors import UnavailableError
from rouse.kube import KubeClient
from rouse.kube.client import FENCED
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, SERVICES
from tests.unit.controllers.faults import (
    Cluster,
    Fault,
    FaultyApi,
    Supervisor,
    kill,
    live,
    refuse,
    rest,
    story,
    unanswered,
    world,
)
from tests.unit.controllers.harness import KEY, NOW, service


@pytest.fixture(scope="module")
def undisturbed() -> list[Object]:
    return asyncio.run(story())[0]


async def test_two_that_believe_to_lead(undisturbed: list[Object]) -> None:
    async with world() as (cluster, api), Supervisor(api), Supervisor(FaultyApi(api.inner)):
        await live(cluster)
        assert await rest(cluster, api) == undisturbed


@pytest.mark.parametrize("hours", [-30, 30])
async def test_the_next_leader_s_clock_is_wrong(undisturbed: list[Object], hours: int) -> None:
    times = iter([NOW, NOW + timedelta(hours=hours)])

    class Skewed(Supervisor):
        def manager(self) -> object:  # type: ignore[override]
            now = next(times)
            self._clock = lambda: now
            return super().manager()

    async with world(crash_after=8) as (cluster, api), Skewed(api) as supervisor:
        await live(cluster)
        end = await rest(cluster, api)
        assert supervisor.started == 2
    assert _timeless(end) == _timeless(undisturbed)


def _timeless(end: list[Object]) -> list[Object]:
    (service_, *parts) = end
    conditions = [
        {name: value for name, value in one.items() if name != "lastTransitionTime"}
        for one in service_["status"]["conditions"]
    ]
    return [{**service_, "status": {**service_["status"], "conditions": conditions}}, *parts]


@pytest.mark.parametrize("write", [1, 3, 6, 9, 12])
async def test_a_leader_that_lost_its_lease_writes_no_more(
    undisturbed: list[Object], write: int
) -> None:
    async with world() as (cluster, old):
        http = httpx.AsyncClient(transport=old, base_url="https://rouse.test")
        fence = _Fence(lambda: len(old.writes) < write)
        client = KubeClient(http).sharing(write_for=fence.remaining)
        manager = make_manager(client, clock=lambda: NOW)
        await manager.start()
        new = FaultyApi(old.inner)
        try:
            living = asyncio.create_task(live(cluster))
            await asyncio.wait_for(fence.down.wait(), 20)
            async with Supervisor(new):
                await living
                end = await rest(cluster, new)
        finally:
            await kill(manager)
    assert end == undisturbed
    # Another one was under way when the fence came down, if any.
    assert write <= len(old.writes) <= write + 1


class _Fence:
    def __init__(self, leads: Callable[[], bool]) -> None:
        self._leads = leads
        self.down = asyncio.Event()

    def remaining(self) -> float:
        if self._leads():
            return 10.0
        self.down.set()
        return 0.0


async def test_a_write_does_not_outlive_the_right_to_write() -> None:
    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    http = httpx.AsyncClient(transport=httpx.MockTransport(hang), base_url="https://rouse.test")
    client = KubeClient(http, write_for=lambda: 0.02)
    with pytest.raises(UnavailableError, match="may no longer write") as caught:
        await client.create(service())
    assert caught.value.reason == FENCED


def named(name: str) -> Object:
    obj = service()
    obj["metadata"]["name"] = name
    return obj


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ("PATCH services/poison-predictor", refuse(422, "Invalid")),
        ("PATCH services/poison-predictor", refuse(403, "Forbidden")),
        ("PUT inferenceservices/poison/status", refuse(500, "InternalError")),
        ("PUT inferenceservices/poison/status", unanswered()),
        ("PATCH services/poison", refuse(409, "Conflict")),
    ],
    ids=["refused", "forbidden", "status fails", "status unanswered", "conflict"],
)
async def test_one_that_cannot_succeed_stops_no_other_and_keeps_nothing_busy(
    what: str, fault: Fault
) -> None:
    tries = 0

    def refused(request: httpx.Request) -> Fault | None:
        nonlocal tries
        if f"{request.method} {request.url.path}".replace("/namespaces/default", "").endswith(
            what.partition(" ")[2]
        ) and what.startswith(request.method):
            tries += 1
            return fault
        return None

    async with world(refused=refused) as (cluster, api), Supervisor(api):
        await cluster.user.apply(named("poison"))
        await live(cluster)
        assert cluster.is_ready()
        # The story takes a second or more; at full speed that would be hundreds.
        assert 1 <= tries <= 25


async def test_what_is_refused_is_made_good_at_the_next_change() -> None:
    async with world() as (cluster, api), Supervisor(api):
        theirs: Object = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "iris", "namespace": KEY.namespace},
            "spec": {"ports": [{"port": 80}]},
        }
        await cluster.user.apply(theirs)
        await cluster.user.apply(service())
        await cluster.until(lambda: _told(cluster, "made by someone else"), "the refusal")
        await cluster.user.delete(SERVICES, "iris", KEY.namespace)
        await cluster.until(lambda: not _told(cluster, "made by someone else"), "the recovery")


def _told(cluster: Cluster, text: str) -> bool:

    status = (cluster.get(INFERENCE_SERVICES) or {}).get("status") or {}
    return any(text in one.get("message", "") for one in status.get("conditions") or ())
