"""Keep-alive and wake-ups ahead of time, as they are set on Revisions; the clock is the test's.

Knative is played by the test: it says what its revisions do, and takes over their annotations.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from rouse.compiler.config import Config, NodePool
from rouse.controllers.inferenceservice import Sources
from rouse.controllers.keepalive import KeepAlive
from rouse.controllers.keepalive.wanted import MIN_SCALE, RETENTION
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import Informer, Key, KubeClient, owner_reference
from rouse.kube.controller import Requeue
from rouse.kube.objects import Object, key_of, resource_version_of
from rouse.kube.resources import DEPLOYMENTS, INFERENCE_SERVICES, POD_AUTOSCALERS, REVISIONS
from tests.unit.controllers.harness import KEY, Faults, service

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
REVISION = "iris-predictor-00001"
AUTO = {"rouse.dev/keep-alive": "auto"}
OFFICE = {"rouse.dev/wake-schedule": "0 8 * * mon-fri for 10h"}


@dataclass
class World:
    """One service, the revisions Knative made of it, and what wakes them."""

    client: KubeClient
    faults: Faults
    config: Config = field(default_factory=Config)
    now: datetime = MONDAY
    told: list[Key] = field(default_factory=list)
    before_1_21: bool = False

    def __post_init__(self) -> None:
        self.sources = Sources.of(self.client)
        self.begin_anew()

    @property
    def informers(self) -> tuple[Informer, ...]:
        sources = self.sources
        return sources.services, sources.revisions, sources.owned[DEPLOYMENTS]

    def begin_anew(self) -> None:
        """As after a restart of the controller."""
        self.keeper = KeepAlive(
            self.client,
            self.sources,
            lambda: self.config,
            told=self.told.append,
            clock=lambda: self.now,
        )

    async def has(self, **annotations: str) -> None:
        made = service(minReplicas=0)
        made["metadata"]["annotations"] = annotations
        await self.client.apply(made, field_manager="user")

    async def revision(
        self,
        annotations: dict[str, str] | None = None,
        *,
        routed: bool = True,
        name: str = REVISION,
    ) -> None:
        """As Knative makes it of the template: with a minimum of its own."""
        labels = {
            "serving.kserve.io/inferenceservice": KEY.name,
            "component": "predictor",
            "serving.knative.dev/routingState": "active" if routed else "reserve",
        }
        await self.client.apply(
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Revision",
                "metadata": {
                    "name": name,
                    "namespace": KEY.namespace,
                    "labels": labels,
                    "annotations": {MIN_SCALE: "0"} if annotations is None else annotations,
                },
                "spec": {"containers": [{"image": "x"}]},
            },
            field_manager="knative",
        )
        await self._scaled(await self.client.get(REVISIONS, name, KEY.namespace))

    async def _scaled(self, revision: Object) -> None:
        """What Knative makes of a revision: old ones tell pods how they are scaled."""
        name, labels = revision["metadata"]["name"], revision["metadata"]["labels"]
        annotations = revision["metadata"]["annotations"]
        metadata = {
            "name": name,
            "namespace": KEY.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(revision)],
        }
        told = {MIN_SCALE: "0", **annotations} if self.before_1_21 else {}
        pod: Object = {
            "metadata": {"labels": {"app": name}, "annotations": told},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        spec = {"selector": {"matchLabels": {"app": name}}, "template": pod}
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
        await self.client.apply(deployment | {"spec": spec}, field_manager="knative")
        scaler = {
            "apiVersion": POD_AUTOSCALERS.api_version,
            "kind": POD_AUTOSCALERS.kind,
            "metadata": metadata | {"annotations": annotations},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": name}},
        }
        await self.client.apply(scaler, field_manager="knative")

    async def is_(
        self, status: str, *, pods: int, name: str = REVISION, first: bool = False
    ) -> None:
        """The revision is Active, or not, since now."""
        live = await self.client.get(REVISIONS, name, KEY.namespace)
        since = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Active", "status": status, "lastTransitionTime": since}
        conditions = [condition, *([{**condition, "type": "Ready"}] if first else [])]
        body = {**live, "status": {"conditions": conditions, "actualReplicas": pods}}
        await self.client.replace(body, subresource="status")

    async def called(self, lasting: timedelta = timedelta(minutes=2)) -> None:
        """Requests wake it, come for a while, and it falls asleep again."""
        await self.is_("True", pods=1)
        await self.reconcile()
        self.now += lasting + timedelta(seconds=60)
        await self.is_("False", pods=0)
        await self.reconcile()

    async def reconcile(self) -> Requeue | None:
        async with asyncio.timeout(10):
            for informer in self.informers:
                while await self._behind(informer):
                    await asyncio.sleep(0.001)  # the API in memory answers without giving way
        self.faults.writes.clear()
        return await self.keeper(KEY)

    async def _behind(self, informer: Any) -> bool:
        listed = await self.client.list(informer.resource, labels=informer._options.labels)
        wanted = {key_of(one): resource_version_of(one) for one in listed.items}
        return wanted != {key_of(one): resource_version_of(one) for one in informer.list()}

    async def set_(self, name: str = REVISION) -> dict[str, str]:
        """What scales the revision now."""
        kind = POD_AUTOSCALERS if self.before_1_21 else REVISIONS
        live = await self.client.get(kind, name, KEY.namespace)
        annotations: dict[str, str] = live["metadata"].get("annotations") or {}
        return {
            k.partition("/")[2]: v for k, v in annotations.items() if k in (MIN_SCALE, RETENTION)
        }

    def told_status(self) -> Object:
        return self.keeper.of(KEY) or {}


RETAINED = "scale-to-zero-pod-retention-period"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with memory_api() as (_, inner):
        faults = Faults(inner._transport)
        async with httpx.AsyncClient(transport=faults, base_url="https://rouse.test") as http:
            made = World(KubeClient(http), faults)
            for informer in made.informers:
                await informer.start()
            for informer in made.informers:
                await informer.synced(5)
            yield made
            for informer in made.informers:
                await informer.stop()


async def every(world: World, period: timedelta, times: int) -> None:
    """Let it be called at regular times; ends as long after the last one as it lasts."""
    begin = world.now
    for count in range(times):
        world.now = begin + count * period
        await world.called()


async def test_nothing_is_done_unasked(world: World) -> None:
    await world.has()
    await world.revision()
    await every(world, HOUR, 5)
    assert await world.set_() == {"min-scale": "0"}
    assert world.told_status() == {}
    assert await world.reconcile() is None


async def test_the_settings_ask_for_all(world: World) -> None:
    world.config = Config(keep_alive="auto")
    await world.has()
    await world.revision()
    await world.reconcile()
    assert RETAINED in await world.set_()
    await world.has(**{"rouse.dev/keep-alive": "off"})
    await world.reconcile()
    assert await world.set_() == {"min-scale": "0"}


@pytest.mark.parametrize("before_1_21", [False, True])
async def test_a_periodic_service_is_woken_and_seen_to_be_called(
    world: World, before_1_21: bool
) -> None:
    world.before_1_21 = before_1_21
    await world.has(**AUTO)
    await world.revision()
    await every(world, 3 * HOUR, 8)
    due = MONDAY + 8 * 3 * HOUR
    assert await world.set_() == {"min-scale": "0"}
    again = await world.reconcile()
    assert again is not None
    assert world.told_status()["periodSeconds"] == 3 * 3600
    told = datetime.fromisoformat(world.told_status()["nextWake"])
    assert timedelta(seconds=30) < due - told < timedelta(minutes=4)

    world.now = told
    again = await world.reconcile()
    # A pod is made; once it is there, the retention keeps it.
    assert (await world.set_())["min-scale"] == "1"
    world.now += timedelta(seconds=5)
    await world.is_("True", pods=1)
    await world.reconcile()
    assert (await world.set_())["min-scale"] == "0"
    assert RETAINED in await world.set_()
    kind = "podautoscalers" if before_1_21 else "revisions"
    assert world.faults.writes == [f"PATCH {kind}/{REVISION}"]
    if before_1_21:
        # Its pods would be made anew.
        live = await world.client.get(REVISIONS, REVISION, KEY.namespace)
        assert live["metadata"]["annotations"] == {MIN_SCALE: "0"}
    await world.reconcile()
    assert world.faults.writes == []

    live = await world.client.get(REVISIONS, REVISION, KEY.namespace)
    assert world.keeper.woke(KEY, live)  # no cold start

    # Knative lets it fall idle, and keeps the pod: nobody called it so far.
    world.now += timedelta(seconds=65)
    await world.is_("False", pods=1)
    await world.reconcile()
    assert (await world.set_())["min-scale"] == "0"
    known = world.told_status()["history"]
    # Then somebody does.
    await world.called()
    assert not world.keeper.woke(KEY, live)
    assert len(world.told_status()["history"].split()) == len(known.split()) + 1
    # And after it all is as before.
    world.now = due + HOUR
    await world.reconcile()
    assert await world.set_() == {"min-scale": "0"}


async def test_a_wake_up_that_nobody_used_is_no_request(world: World) -> None:
    await world.has(**AUTO)
    await world.revision()
    await every(world, 3 * HOUR, 8)
    await world.reconcile()
    known = world.told_status()["history"]
    world.now = datetime.fromisoformat(world.told_status()["nextWake"])
    await world.reconcile()
    await world.is_("True", pods=1)
    await world.reconcile()
    world.now += timedelta(seconds=62)
    await world.is_("False", pods=1)
    await world.reconcile()
    assert world.told_status()["history"] == known


async def test_a_schedule_holds_it_awake_and_needs_no_history(world: World) -> None:
    await world.has(**OFFICE)
    await world.revision()
    again = await world.reconcile()
    assert again is not None
    assert again.after_s == 3600
    assert await world.set_() == {"min-scale": "0"}
    assert world.faults.writes == []
    world.now = MONDAY + 8 * HOUR
    again = await world.reconcile()
    assert await world.set_() == {"min-scale": "1"}
    assert world.told_status()["awakeUntil"] == "2026-11-16T18:00:00Z"
    await world.is_("True", pods=1)
    await world.reconcile()
    assert world.faults.writes == []
    world.now = MONDAY + 18 * HOUR
    await world.reconcile()
    assert await world.set_() == {"min-scale": "0"}
    assert world.told_status() == {"nextWake": "2026-11-17T08:00:00Z"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({MIN_SCALE: "2"}, {"min-scale": "2"}),
        ({MIN_SCALE: "0", RETENTION: "5m"}, {"min-scale": "1", RETAINED: "5m"}),
        ({f"{MIN_SCALE[:-6]}Scale": "1"}, {}),
    ],
)
async def test_what_users_set_is_theirs(
    world: World, given: dict[str, str], kept: dict[str, str]
) -> None:
    await world.has(**AUTO, **OFFICE)
    await world.revision(given)
    world.now = MONDAY + 9 * HOUR
    await world.reconcile()
    assert await world.set_() == kept


async def test_only_revisions_that_serve_are_kept(world: World) -> None:
    await world.has(**OFFICE)
    await world.revision()
    await world.revision(routed=False, name="iris-predictor-00000")
    world.now = MONDAY + 9 * HOUR
    await world.reconcile()
    assert await world.set_("iris-predictor-00000") == {"min-scale": "0"}
    assert await world.set_() == {"min-scale": "1"}
    await world.revision(routed=False)
    await world.reconcile()
    assert await world.set_() == {"min-scale": "0"}


async def test_a_controller_that_starts_anew_goes_on(world: World) -> None:
    await world.has(**AUTO)
    await world.revision()
    await every(world, 3 * HOUR, 8)
    await world.reconcile()
    told = world.told_status()
    live = await world.client.get(INFERENCE_SERVICES, KEY.name, KEY.namespace)
    await world.client.replace({**live, "status": {"keepAlive": told}}, subresource="status")
    world.begin_anew()
    assert world.keeper.of(KEY) is None
    await world.reconcile()
    again = world.told_status()
    assert (again["history"], again["periodSeconds"]) == (told["history"], told["periodSeconds"])
    assert world.faults.writes == []


async def test_measured_wake_ups_are_history_too(world: World) -> None:
    await world.has(**AUTO)
    live = await world.client.get(INFERENCE_SERVICES, KEY.name, KEY.namespace)
    recent = [
        {"time": (MONDAY - n * HOUR).isoformat(), "revision": REVISION, "totalMs": 100.0}
        for n in range(12, 0, -1)
    ]
    cold = {"recent": recent, "last": recent[-1], "p95Ms": 100.0, "count": 12}
    await world.client.replace({**live, "status": {"coldStart": cold}}, subresource="status")
    await world.revision()
    world.now = MONDAY - 0.5 * HOUR
    await world.reconcile()
    assert world.told_status()["periodSeconds"] == 3600
    assert world.told == [KEY]


async def test_little_changes_of_mind_are_not_written(world: World) -> None:
    await world.has(**AUTO)
    await world.revision()
    written = []
    for count in range(60):
        world.now = MONDAY + count * timedelta(minutes=20 + count % 3 * 7)
        await world.called()
        written += world.faults.writes
    assert len(written) < 12


async def test_one_that_is_gone_is_not_made_anew(world: World) -> None:
    await world.has(**OFFICE)
    await world.revision()
    world.now = MONDAY + 9 * HOUR
    await world.reconcile()
    world.now = MONDAY + 19 * HOUR
    await world.sources.revisions.stop()
    await world.client.delete(REVISIONS, REVISION, KEY.namespace)
    await world.keeper(KEY)
    assert (await world.client.list(REVISIONS)).items == []


async def test_a_service_that_is_gone_is_forgotten(world: World) -> None:
    await world.has(**AUTO)
    await world.reconcile()
    assert world.keeper.of(KEY) is not None
    await world.client.delete(INFERENCE_SERVICES, KEY.name, KEY.namespace)
    assert await world.reconcile() is None
    assert world.keeper.of(KEY) is None


async def test_a_wake_up_to_come_holds_a_place_on_its_pool(world: World) -> None:
    world.config = Config(node_pools={"l4": NodePool()})
    await world.has(**OFFICE, **{"rouse.dev/node-pool": "l4"})
    await world.revision()
    expected = []
    for minutes in (-11, -9, -1, 0):
        world.now = MONDAY + 8 * HOUR + timedelta(minutes=minutes)
        await world.reconcile()
        at = world.now.timestamp()
        expected.append((world.keeper.due.expected("l4", at), world.keeper.due.expected("", at)))
    assert expected == [(0, 0), (1, 0), (1, 0), (0, 0)]
    # One that is awake needs none.
    world.now = MONDAY + 8 * HOUR - timedelta(minutes=5)
    await world.is_("True", pods=1)
    await world.reconcile()
    assert world.keeper.due.expected("l4", world.now.timestamp()) == 0


async def test_a_roll_out_is_no_request(world: World) -> None:
    await world.has(**AUTO)
    await world.revision()
    await world.is_("True", pods=1, first=True)
    await world.reconcile()
    world.now += timedelta(seconds=75)
    await world.is_("False", pods=0)
    await world.reconcile()
    assert "history" not in world.told_status()
    await world.called()
    assert len(world.told_status()["history"].split()) == 1
