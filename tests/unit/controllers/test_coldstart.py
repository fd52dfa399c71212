"""Wake-ups on a cluster: put together once, from pods, Events, nodes and model servers."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from rouse.controllers.coldstart import Gatherer, Traces, ask_server
from rouse.controllers.coldstart.report import metrics_url
from rouse.controllers.inferenceservice import Sources
from rouse.controllers.observability.coldstarts import ColdStartMetrics
from rouse.daemon.registry import render
from rouse.kube import Informer, Key, KubeClient
from rouse.kube.objects import Object, key_of
from rouse.kube.resources import DEPLOYMENTS
from tests.unit.controllers.harness import KEY, service

LABELS = {
    "serving.kserve.io/inferenceservice": KEY.name,
    "serving.knative.dev/revision": "iris-predictor-00001",
}
POD = Key("default", "iris-1")


def at(second: int) -> str:
    return f"2026-11-21T08:30:{second:02}Z"


def true(type_: str, second: int) -> Object:
    return {"type": type_, "status": "True", "lastTransitionTime": at(second)}


def revision(annotations: Mapping[str, str] | None = None, ready: int = 0) -> Object:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": "iris-predictor-00001", "namespace": "default", "labels": LABELS},
        "spec": {"containers": [{"image": "x"}]},
        "status": {"conditions": [true("Ready", ready)], "annotations": dict(annotations or {})},
    }


def pod(name: str = POD.name, created: int = 10, **metadata: Any) -> Object:
    running = {"running": {"startedAt": at(created + 4)}}
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": LABELS,
            "creationTimestamp": at(created),
            **metadata,
        },
        "spec": {"nodeName": "n1"},
        "status": {
            "podIP": "10.0.0.7",
            "conditions": [true("PodScheduled", created + 1), true("Ready", created + 7)],
            "containerStatuses": [{"name": "kserve-container", "state": running}],
        },
    }


PULLED: Object = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "iris-1.1", "namespace": "default"},
    "involvedObject": {"kind": "Pod", "name": POD.name, "namespace": "default"},
    "reason": "Pulled",
    "message": 'Successfully pulled image "x" in 2.5s (2.5s including waiting).',
    "firstTimestamp": at(13),
}


@dataclass
class World:
    """Copies that say what the test puts into them."""

    sources: Sources
    traces: Traces
    asked: list[str] = field(default_factory=list)
    told: list[Key] = field(default_factory=list)
    report: Mapping[str, float] = field(
        default_factory=lambda: {"import": 1.0, "load": 0.5, "total": 2.0}
    )

    def __post_init__(self) -> None:
        self.gatherer = Gatherer(self.sources, self.traces, self.ask, told=self.told.append)

    async def ask(self, pod: Mapping[str, Any]) -> Mapping[str, float]:
        self.asked.append(pod["metadata"]["name"])
        return self.report

    def has(self, informer: Informer, *objects: Object) -> None:
        for one in objects:
            informer._store.put(informer._options.keep(copy.deepcopy(one)))

    async def looked_at(self, *pods: Object) -> list[Object]:
        self.has(self.sources.pods, *pods)
        for one in pods:
            await self.gatherer.reconcile(key_of(one))
        return self.gatherer.of(KEY)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url="https://never.asked.test") as http:
        client = KubeClient(http)
        made = World(Sources.of(client), Traces.of(client))
        made.has(made.sources.services, service())
        made.has(made.sources.revisions, revision())
        yield made


async def test_a_wake_up_is_put_together(world: World) -> None:
    node = {"metadata": {"name": "n1", "creationTimestamp": at(0)}, "status": {}}
    world.has(world.traces.nodes, node)
    world.has(world.traces.pulled, PULLED)
    [record] = await world.looked_at(pod())
    assert record == {
        "time": "2026-11-21T08:30:10.000000Z",
        "revision": "iris-predictor-00001",
        "pod": "iris-1",
        "totalMs": 7000.0,
        "phases": {
            "schedule": 1000.0,
            "pull": 2500.0,
            "container": 500.0,
            "process": 500.0,
            "import": 1000.0,
            "load": 500.0,
            "ready": 1000.0,
        },
        "unknown": ["queue", "answer"],
    }
    assert world.told == [KEY]


async def test_a_model_server_that_says_nothing_costs_only_its_phases(world: World) -> None:
    world.report = {}
    [record] = await world.looked_at(pod())
    assert record["phases"] == {"schedule": 1000.0, "container": 3000.0, "process": 3000.0}


async def test_only_the_pod_that_ended_a_sleep_counts(world: World) -> None:
    former = pod("iris-0", created=1, deletionTimestamp=at(35), deletionGracePeriodSeconds=30)
    second = pod("iris-2", created=20)
    found = await world.looked_at(former, pod(), second)
    assert [one["pod"] for one in found] == ["iris-0", "iris-1"]
    assert world.asked == ["iris-0", "iris-1"]


async def test_the_first_start_of_a_roll_out_woke_nobody(world: World) -> None:
    world.has(world.sources.revisions, revision(ready=17))
    assert await world.looked_at(pod()) == []
    assert world.asked == []


async def test_what_the_activator_measures_is_not_guessed(world: World) -> None:
    world.has(world.sources.revisions, revision({"rouse.dev/last-cold-start": "{}"}))
    assert await world.looked_at(pod()) == []


async def test_what_the_status_tells_is_dropped_and_not_asked_for_again(world: World) -> None:
    found = await world.looked_at(pod())
    status = {"coldStart": {"recent": found}}
    world.has(world.sources.services, {**service(), "status": status})
    assert await world.looked_at(pod()) == []
    assert world.asked == ["iris-1"]


async def test_pods_without_a_service_or_revision_are_left_alone(world: World) -> None:
    stranger = pod()
    stranger["metadata"]["labels"] = {}
    assert await world.looked_at(stranger) == []
    await world.gatherer.reconcile(Key("default", "gone"))
    assert world.told == []


async def test_ready_pods_are_looked_at_after_a_restart_too(world: World) -> None:
    starting = pod("iris-9")
    starting["status"]["conditions"] = []
    world.has(world.sources.pods, pod(), starting)
    wanted: list[Key] = []
    world.gatherer.connect(lambda key, after_s: wanted.append(key))
    assert wanted == [POD]


async def test_a_pod_that_is_gone_is_forgotten(world: World) -> None:
    world.gatherer.connect(lambda _key, after_s: None)
    assert len(await world.looked_at(pod())) == 1
    world.sources.pods._removed(POD)
    assert world.gatherer.of(KEY) == []


@pytest.mark.parametrize(
    ("spec", "address", "url"),
    [
        ({}, "10.0.0.7", "http://10.0.0.7:8080/metrics"),
        ({}, "fd00::7", "http://[fd00::7]:8080/metrics"),
        (
            {"containers": [{"name": "kserve-container", "ports": [{"containerPort": 9000}]}]},
            "10.0.0.7",
            "http://10.0.0.7:9000/metrics",
        ),
        ({}, None, None),
    ],
)
def test_where_a_model_server_is_asked(spec: Object, address: str | None, url: str | None) -> None:
    assert metrics_url({"spec": spec, "status": {"podIP": address}}) == url


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, b'startup_phase_seconds{phase="load"} 0.25\n', {"load": 0.25}),
        (404, b'startup_phase_seconds{phase="load"} 0.25\n', {}),
        (200, b"x" * (2 << 20), {}),
        (200, b"\xff\xfe", {}),
    ],
)
async def test_what_a_model_server_answers(
    status: int, body: bytes, wanted: dict[str, float]
) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, content=body))
    assert await ask_server(pod(), transport=transport) == wanted


async def test_a_model_server_that_cannot_be_reached() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    assert await ask_server(pod(), transport=httpx.MockTransport(refuse)) == {}
    assert await ask_server({"status": {}}) == {}


def test_histograms_are_bounded_and_carry_traces() -> None:
    metrics = ColdStartMetrics(services=2)
    for name in ("a", "b", "a", "c"):
        record = {"totalMs": 30, "phases": {"load": 20, "odd": 4, "odder": 6}, "traceId": "f" * 32}
        metrics.woke(Key("n", name), record)
    text = render(metrics.families(), openmetrics=True)
    assert 'service="b"' not in text
    assert 'rouse_coldstart_seconds_count{namespace="n",service="a"} 2' in text
    assert 'rouse_coldstart_phase_seconds_sum{namespace="n",service="c",phase="other"} 0.01' in text
    metrics.forget(Key("n", "c"))
    assert 'service="c"' not in render(metrics.families())
    exemplar = 'le="0.05"} 2 # {trace_id="' + "f" * 32 + '"} 0.03'
    assert exemplar in text


def test_budgets_are_told_while_there_are_any() -> None:
    metrics = ColdStartMetrics(services=1)
    key = Key("n", "a")
    metrics.judged(key, False)
    metrics.judged(Key("n", "one too many"), True)
    line = 'rouse_coldstart_within_budget{namespace="n",service="a"}'
    assert f"{line} 0\n" in render(metrics.families())
    metrics.judged(key, True)
    assert f"{line} 1\n" in render(metrics.families())
    metrics.judged(key, None)
    assert "service=" not in render(metrics.families())


def standard(
    name: str, created: int, replica_set: str = "iris-predictor-1f", **metadata: Any
) -> Object:
    """A pod of the mode Standard, of the ReplicaSet that is named."""
    made = pod(name, created, **metadata)
    owner = {"kind": "ReplicaSet", "name": replica_set, "apiVersion": "apps/v1", "uid": "u"}
    made["metadata"]["ownerReferences"] = [owner]
    made["metadata"]["labels"] = {
        "serving.kserve.io/inferenceservice": KEY.name,
        "pod-template-hash": replica_set.rpartition("-")[2],
    }
    return made


@pytest.fixture
def deployed(world: World) -> World:
    """The service has a Deployment that is older than any pod here."""
    metadata = {"name": "iris-predictor", "namespace": "default"}
    metadata["creationTimestamp"] = "2026-11-21T08:00:00Z"
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    world.has(world.sources.owned[DEPLOYMENTS], made)
    return world


async def test_a_deployment_that_was_at_zero_woke(deployed: World) -> None:
    [found] = await deployed.looked_at(standard("iris-predictor-1f-a", 10))
    assert found["revision"] == "iris-predictor"
    assert "cause" not in found
    # Who scaled it knows how long requests waited before; nobody here does, and it says so.
    assert found["unknown"] == ["queue", "answer"]
    assert found["phases"]["import"] == 1000
    assert deployed.told == [KEY]


async def test_other_starts_say_what_they_were_for(deployed: World) -> None:
    old = standard("iris-predictor-0a-x", 1, "iris-predictor-0a")
    new, more = standard("iris-predictor-1f-a", 20), standard("iris-predictor-1f-b", 30)
    deployed.has(deployed.sources.pods, old, new, more)
    causes = {one["pod"]: one.get("cause") for one in await deployed.looked_at(new, more)}
    assert causes == {"iris-predictor-1f-a": "roll-out", "iris-predictor-1f-b": "scale-up"}


async def test_the_first_pod_of_a_new_deployment_woke_nobody(deployed: World) -> None:
    live = deployed.sources.owned[DEPLOYMENTS].get(Key("default", "iris-predictor"))
    assert live is not None
    live["metadata"]["creationTimestamp"] = at(9)
    deployed.has(deployed.sources.owned[DEPLOYMENTS], live)
    [found] = await deployed.looked_at(standard("iris-predictor-1f-a", 10))
    assert found["cause"] == "roll-out"


@pytest.mark.parametrize(
    ("progress", "cause"),
    [
        ({"reason": "NewReplicaSetAvailable", "lastUpdateTime": at(2)}, None),
        ({"reason": "NewReplicaSetAvailable", "lastUpdateTime": at(17)}, "roll-out"),
        ({"reason": "ReplicaSetUpdated", "lastUpdateTime": at(2)}, "roll-out"),
    ],
)
async def test_pods_that_were_replaced_may_be_gone_already(
    deployed: World, progress: Object, cause: str | None
) -> None:
    live = deployed.sources.owned[DEPLOYMENTS].get(Key("default", "iris-predictor"))
    assert live is not None
    live["status"] = {"conditions": [{"type": "Progressing", "status": "True", **progress}]}
    deployed.has(deployed.sources.owned[DEPLOYMENTS], live)
    [found] = await deployed.looked_at(standard("iris-predictor-1f-a", 10))
    assert found.get("cause") == cause


async def test_a_cause_is_what_it_was_when_the_pod_became_ready(deployed: World) -> None:
    pods = deployed.sources.pods
    deployed.gatherer.connect(lambda _key, **_: None)
    old = standard("iris-predictor-0a-x", 1, "iris-predictor-0a")
    new = standard("iris-predictor-1f-a", 20)
    waiting = {**new, "status": {**new["status"], "conditions": []}}
    pods._changed(old)
    pods._changed(waiting)
    pods._changed(new)
    pods._removed(key_of(old), old)
    [found] = await deployed.looked_at(new)
    assert found["cause"] == "roll-out"


async def test_a_start_that_is_no_longer_kept_is_no_news(deployed: World) -> None:
    starts = [{"pod": f"p{at}", "time": f"2026-11-21T09:00:0{at}Z"} for at in range(8)]
    deployed.has(deployed.sources.services, {**service(), "status": {"starts": starts}})
    assert await deployed.looked_at(standard("iris-predictor-1f-a", 10)) == []
    assert deployed.asked == []


async def test_a_standby_pod_tells_of_no_start(deployed: World) -> None:
    assert await deployed.looked_at(standard("rouse-standby-7-2d-q", 10)) == []
