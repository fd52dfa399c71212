"""The engine as a whole: from a Knative Service to replicas, to zero, and back by a request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from rouse.embedded.knative import KnativeEngine
from rouse.embedded.knative.activator import ActivationFailedError
from rouse.embedded.limits import limited_cluster
from rouse.errors import NotFoundError, RejectedError
from rouse.kube.objects import Key, Object, uid_of
from rouse.kube.resources import (
    CONFIGURATIONS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    VIRTUAL_SERVICES,
)
from tests.unit.knative.harness import (
    ACTIVATOR_PORT,
    Stats,
    World,
    condition,
    is_ready,
    knative_service,
    world,
)

KEY = Key("default", "iris-00001")
DEPLOYMENT = Key("default", "iris-00001-deployment")


async def ready_service(w: World, name: str = "iris", **annotations: str) -> None:
    await w.client.create(knative_service(name, **annotations))
    await w.until(KNATIVE_SERVICES, name, is_ready)


async def asleep(w: World) -> None:
    await w.live_until(lambda: w.engine.replicas.wanted(DEPLOYMENT) == 0)
    await w.until(DEPLOYMENTS, "iris-00001-deployment", lambda d: d["spec"]["replicas"] == 0)
    await w.until(REVISIONS, "iris-00001", lambda r: condition(r, "Active")[0] == "False")
    await w.until_true(lambda: not w.node.pods)


async def test_a_service_becomes_ready(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        service = await w.client.get(KNATIVE_SERVICES, "iris", "default")
        assert service["status"]["url"] == "http://iris.default.localhost"
        assert service["status"]["address"] == {"url": "http://iris.default.svc.cluster.local"}
        assert service["status"]["latestReadyRevisionName"] == "iris-00001"
        assert service["status"]["traffic"] == [
            {"revisionName": "iris-00001", "latestRevision": True, "percent": 100}
        ]
        for resource, name in [
            (CONFIGURATIONS, "iris"),
            (ROUTES, "iris"),
            (REVISIONS, "iris-00001"),
            (POD_AUTOSCALERS, "iris-00001"),
        ]:
            assert is_ready(await w.until(resource, name, is_ready))
        for resource, name in [
            (DEPLOYMENTS, "iris-00001-deployment"),
            (SERVICES, "iris-00001"),
            (SERVICES, "iris-00001-private"),
            (VIRTUAL_SERVICES, "iris-ingress"),
        ]:
            await w.client.get(resource, name, "default")
        [pod] = (await w.client.list(PODS, "default")).items
        assert pod["metadata"]["name"].startswith("iris-00001-deployment-")
        assert pod["spec"]["nodeName"] == "rouse-local"
        assert len(w.node.launched) == 1
        assert len(w.node.warmed) == 1


async def test_a_route_is_ready_only_when_the_gateway_follows_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.mesh.mute = True
        await w.client.create(knative_service())
        route = await w.until(ROUTES, "iris", lambda r: r["status"]["traffic"])
        assert condition(route, "IngressReady") == ("Unknown", "Uninitialized")
        written = await w.client.get(VIRTUAL_SERVICES, "iris-ingress", "default")
        status = {
            "observedGeneration": written["metadata"]["generation"],
            "conditions": [{"type": "Reconciled", "status": "True"}],
        }
        await w.client.replace({**written, "status": status}, subresource="status")
        await w.until(KNATIVE_SERVICES, "iris", is_ready)


async def test_an_idle_service_goes_to_zero_and_a_request_wakes_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        await asleep(w)
        assert w.mesh.endpoints(KEY) == {("127.0.0.1", ACTIVATOR_PORT)}
        assert w.mesh.endpoints(Key("default", "iris-00001-private")) == frozenset()
        assert is_ready(await w.client.get(KNATIVE_SERVICES, "iris", "default"))

        asked = w.mesh.asked
        await w.seconds(30)
        assert w.mesh.asked == asked  # asleep, it costs nothing

        admission = await w.engine.activator.admit(KEY)
        [pod] = w.node.pods.values()
        assert admission.endpoint == ("127.0.0.1", pod.port)
        assert admission.activation is not None
        assert "load;dur=6.0" in admission.activation.server_timing()
        await w.until_true(lambda: w.mesh.endpoints(KEY) == {admission.endpoint})
        revision = await w.until(
            REVISIONS,
            "iris-00001",
            lambda r: r["status"]["annotations"]["rouse.dev/last-cold-start"],
        )
        record = orjson.loads(revision["status"]["annotations"]["rouse.dev/last-cold-start"])
        assert record["phases"]["load"] == 6.0
        await w.until(REVISIONS, "iris-00001", lambda r: condition(r, "Active")[0] == "True")
        await w.until(DEPLOYMENTS, "iris-00001-deployment", lambda d: d["spec"]["replicas"] == 1)


async def test_traffic_keeps_it_awake(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        for total in range(1, 20):
            # Each request came and went between two scrapes.
            w.mesh.counts[KEY] = Stats(0, total)
            await w.seconds(1)
        assert len(w.node.stopped) == 0
        await asleep(w)


async def test_a_request_while_it_goes_to_sleep_turns_it_back(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        await w.until_true(lambda: w.mesh.endpoints(KEY) != {("127.0.0.1", ACTIVATOR_PORT)})
        direct = w.mesh.endpoints(KEY)
        while w.mesh.endpoints(KEY) == direct:
            await w.seconds(1)
        admission = await w.engine.activator.admit(KEY)
        assert admission.activation is None
        assert {admission.endpoint} == direct
        await w.until_true(lambda: w.mesh.endpoints(KEY) == direct)
        await w.seconds(3)
        assert w.node.stopped == []


async def test_a_request_in_flight_at_the_last_moment_turns_it_back(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        scaler = w.engine.scaler.get(KEY)
        assert scaler is not None
        await w.live_until(lambda: scaler.in_path)
        await w.until_true(lambda: scaler.confirmed)
        w.mesh.counts[KEY] = Stats(1, 1)
        # No scrape has seen it yet; the last look must.
        w.clock.pass_(4)
        asked = w.mesh.asked
        w.engine.scaler.tick()
        await w.until_true(lambda: not scaler.in_path)
        assert w.mesh.asked == asked + 1
        assert w.node.stopped == []


async def test_nothing_stops_before_the_gateway_confirms(tmp_path: Path) -> None:
    async with world(tmp_path, settle_s=0.05) as w:
        await ready_service(w)
        w.mesh.deaf = True
        await w.seconds(30)
        assert w.node.stopped == []
        w.mesh.deaf = False
        await asleep(w)


async def test_min_scale_keeps_replicas(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w, min_scale="2")
        assert len(w.node.launched) == 2
        await w.seconds(20)
        assert w.node.stopped == []


async def test_load_scales_up_and_down_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w, target="1", target_utilization_percentage="100")
        w.mesh.counts[KEY] = Stats(4, 4)
        await w.seconds(2)
        await w.until_true(lambda: len(w.mesh.endpoints(KEY)) == 4)
        w.mesh.counts[KEY] = Stats(1, 9)
        await w.live_until(lambda: w.engine.replicas.wanted(DEPLOYMENT) == 1)
        await w.until(DEPLOYMENTS, "iris-00001-deployment", lambda d: d["spec"]["replicas"] == 1)
        await w.until_true(lambda: len(w.node.pods) == 1)
        [kept] = w.node.pods.values()
        assert w.mesh.endpoints(KEY) == {("127.0.0.1", kept.port)}


async def test_a_new_template_makes_a_revision_and_moves_the_traffic(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        changed = knative_service()
        changed["spec"]["template"]["spec"]["containers"][0]["args"] = ["--model_name=other"]
        await w.client.apply(changed, field_manager="kubectl")
        service = await w.until(
            KNATIVE_SERVICES,
            "iris",
            lambda s: is_ready(s) and s["status"]["latestReadyRevisionName"] == "iris-00002",
        )
        assert service["status"]["traffic"][0]["revisionName"] == "iris-00002"
        route = await w.client.get(VIRTUAL_SERVICES, "iris-ingress", "default")
        [destination] = route["spec"]["http"][0]["route"]
        assert destination["destination"]["host"] == "iris-00002.default.svc.cluster.local"
        await w.live_until(lambda: w.engine.replicas.wanted(DEPLOYMENT) == 0)
        await w.until(DEPLOYMENTS, "iris-00001-deployment", lambda d: d["spec"]["replicas"] == 0)


async def test_a_revision_that_crashes_leaves_the_former_one_serving(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        w.node.auto = False
        changed = knative_service()
        changed["spec"]["template"]["spec"]["containers"][0]["args"] = ["--model_dir=/nowhere"]
        await w.client.apply(changed, field_manager="kubectl")
        await w.until_true(lambda: len(w.node.launched) == 2)
        w.node.crash(w.node.launched[1], 1, "loading model", "ValueError: no model file")
        revision = await w.until(
            REVISIONS, "iris-00002", lambda r: condition(r, "ContainerHealthy")[0] == "False"
        )
        [healthy] = [c for c in revision["status"]["conditions"] if c["type"] == "ContainerHealthy"]
        assert healthy["reason"] == "ExitCode1"
        assert healthy["message"] == (
            "Container failed with: loading model\nValueError: no model file"
        )
        service = await w.until(KNATIVE_SERVICES, "iris", lambda s: condition(s)[0] == "False")
        assert condition(service, "RoutesReady")[0] == "True"
        assert service["status"]["latestReadyRevisionName"] == "iris-00001"
        assert service["status"]["traffic"][0]["revisionName"] == "iris-00001"

        w.node.become_ready(w.node.launched[1])
        await w.until(
            KNATIVE_SERVICES,
            "iris",
            lambda s: is_ready(s) and s["status"]["traffic"][0]["revisionName"] == "iris-00002",
        )


async def test_bad_annotations_are_reported(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.client.create(knative_service(window="1s"))
        service = await w.until(KNATIVE_SERVICES, "iris", lambda s: condition(s)[0] == "False")
        assert "autoscaling.knative.dev/window" in str(service["status"]["conditions"])
        assert w.node.launched == []


async def test_a_canary_split_and_its_tags(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        changed = knative_service()
        changed["spec"]["template"]["spec"]["containers"][0]["args"] = ["--canary"]
        changed["spec"]["traffic"] = [
            {"latestRevision": True, "percent": 20, "tag": "latest"},
            {"revisionName": "iris-00001", "percent": 80, "tag": "prev"},
        ]
        await w.client.apply(changed, field_manager="kubectl")
        rule = await w.until(
            VIRTUAL_SERVICES,
            "iris-ingress",
            lambda v: [r["weight"] for r in v["spec"]["http"][-1]["route"]] == [20, 80],
        )
        assert "prev-iris.default.localhost" in rule["spec"]["hosts"]
        service = await w.until(KNATIVE_SERVICES, "iris", is_ready)
        assert [t["revisionName"] for t in service["status"]["traffic"]] == [
            "iris-00002",
            "iris-00001",
        ]


async def test_container_concurrency_becomes_a_rule_of_the_gateway(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        service = knative_service(min_scale="2")
        service["spec"]["template"]["spec"]["containerConcurrency"] = 3
        await w.client.create(service)
        rule = await w.until(
            DESTINATION_RULES,
            "iris-00001",
            lambda r: r["spec"]["trafficPolicy"]["connectionPool"]["tcp"]["maxConnections"] == 3,
        )
        assert rule["spec"]["host"] == "iris-00001-private.default.svc.cluster.local"
        await w.until(KNATIVE_SERVICES, "iris", is_ready)
        key = Key("default", "iris-00001")
        assert w.mesh.endpoints(key) == {("127.0.0.1", ACTIVATOR_PORT)}
        admission = await w.engine.activator.admit(key)
        assert admission.cluster == limited_cluster("iris-00001-private", "default")
        assert admission.endpoint in w.mesh.endpoints(Key("default", "iris-00001-private"))


async def test_a_deleted_pod_is_replaced(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        [first] = w.node.launched
        await w.client.delete(PODS, first.name, "default")
        await w.until_true(lambda: len(w.node.launched) == 2 and first not in w.node.pods)
        second = w.node.launched[1]
        await w.until_true(
            lambda: w.mesh.endpoints(KEY) == {("127.0.0.1", w.node.pods[second].port)}
        )


async def test_a_hundred_sleepers_woken_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        names = [f"m{index}" for index in range(100)]
        await asyncio.gather(*(w.client.create(knative_service(name)) for name in names))
        for name in names:
            await w.until(KNATIVE_SERVICES, name, is_ready, seconds=40)
        await w.live_until(lambda: not w.node.pods, seconds=40)
        launched = len(w.node.launched)
        keys = [Key("default", f"{name}-00001") for name in names]
        admissions = await asyncio.gather(*(w.engine.activator.admit(key) for key in keys))
        assert len({one.endpoint.port for one in admissions}) == 100
        assert len(w.node.launched) == launched + 100
        at_the_activator = {("127.0.0.1", ACTIVATOR_PORT)}
        await w.until_true(
            lambda: all(w.mesh.endpoints(key) != at_the_activator for key in keys), seconds=20
        )


async def test_deleting_the_service_ends_everything(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        await w.client.delete(KNATIVE_SERVICES, "iris", "default")
        await w.until_true(lambda: not w.node.pods)
        async with asyncio.timeout(5):
            while (await w.client.list(ENDPOINT_SLICES, "default")).items:
                await asyncio.sleep(0.01)
        with pytest.raises(NotFoundError):
            await w.client.get(REVISIONS, "iris-00001", "default")


async def test_one_made_again_is_ready_by_replicas_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reconciler is late, and sees one revision where there were two."""
    go_on = asyncio.Event()

    async def held(_calm_s: float) -> None:
        await go_on.wait()

    async with world(tmp_path) as w:
        await ready_service(w)
        former = uid_of(await w.client.get(REVISIONS, KEY.name, KEY.namespace))
        monkeypatch.setattr(w.engine.activator, "calm", held)
        w.node.auto = False
        await w.client.delete(KNATIVE_SERVICES, "iris", "default")
        await w.until_true(lambda: not w.node.pods)
        await w.client.create(knative_service("iris"))
        await w.until(REVISIONS, KEY.name, lambda r: uid_of(r) != former)
        go_on.set()
        await w.until_true(lambda: w.node.pods)
        revision = await w.until(REVISIONS, KEY.name, lambda r: r["status"]["conditions"])
        await asyncio.sleep(0.1)  # nothing is to happen
        revision = await w.client.get(REVISIONS, KEY.name, KEY.namespace)
        assert not is_ready(revision)
        [pod] = w.node.pods
        w.node.become_ready(pod)
        await w.until(KNATIVE_SERVICES, "iris", is_ready)


async def test_a_refused_pod_does_not_run_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        await ready_service(w)
        await asleep(w)
        create = w.client.create

        async def refusing(obj: Mapping[str, Any]) -> Object:
            if obj["kind"] == "Pod":
                raise RejectedError("pods are forbidden: quota", status=403, reason="Forbidden")
            return await create(obj)

        monkeypatch.setattr(w.client, "create", refusing)
        before = len(w.node.stopped)
        w.node.auto = False
        with pytest.raises(ActivationFailedError, match=r"FailedCreate.*quota"):
            await w.engine.activator.admit(KEY)
        await w.until_true(lambda: len(w.node.stopped) > before and not w.node.pods)
        monkeypatch.undo()
        w.node.auto = True
        await w.until_true(lambda: w.mesh.endpoints(KEY) != {("127.0.0.1", ACTIVATOR_PORT)})


async def test_a_restarted_engine_takes_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await ready_service(w, min_scale="2")
        pods = set(w.node.pods)
        await w.engine.stop()
        again = KnativeEngine(
            w.client,
            w.node,
            w.mesh,
            activator_port=ACTIVATOR_PORT,
            activator_socket=tmp_path / "again.sock",
            clock=w.clock,
        )
        await again.start()
        try:
            await w.until_true(lambda: len(again.replicas.ready(DEPLOYMENT)) == 2)
            await asyncio.sleep(0.1)
            assert set(w.node.pods) == pods
        finally:
            await again.stop()
