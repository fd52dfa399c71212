"""Mode Standard: plain Deployments, Services that select pods, HorizontalPodAutoscalers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rouse.kube.objects import Key, Object, owner_uids, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    EVENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    PODS,
    SERVICES,
)
from tests.unit.knative.harness import World, condition, world

KEY = Key("default", "plain")
LABELS = {"app": "plain"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as one:
        yield one


def deployment(replicas: int = 2, **container: object) -> Object:
    spec = {
        "name": "server",
        "image": "me/server:1",
        "ports": [{"containerPort": 8080, "name": "web"}],
        **container,
    }
    template = {"metadata": {"labels": dict(LABELS)}, "spec": {"containers": [spec]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(LABELS)},
            "template": template,
        },
    }


def service(**port: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {"selector": dict(LABELS), "ports": [{"name": "http", "port": 80, **port}]},
    }


def autoscaler(least: int, most: int) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": KEY.name},
            "minReplicas": least,
            "maxReplicas": most,
        },
    }


def ports(one: World) -> frozenset[tuple[str, int]]:
    return frozenset((state.host, state.port or 0) for state in one.node.pods.values())


@pytest.mark.parametrize("target", [8080, "web"])
async def test_a_service_has_a_slice_for_every_ready_pod(running: World, target: object) -> None:
    await running.client.create(service(targetPort=target))
    await running.client.create(deployment(2))
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 2)
    assert running.mesh.endpoints(KEY) == ports(running)
    gone = next(iter(running.node.pods))
    running.node.change(gone, ready=False)
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 1)
    running.node.change(gone, ready=True)
    await running.until_true(lambda: running.mesh.endpoints(KEY) == ports(running))


async def test_replicas_are_available_when_the_gateway_has_them(running: World) -> None:
    running.mesh.deaf = True
    await running.client.create(service(targetPort="web"))
    await running.client.create(deployment(2))
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 2)
    await asyncio.sleep(0.1)  # nothing is to happen
    status = (await running.client.get(DEPLOYMENTS, *reversed(KEY))).get("status") or {}
    assert "availableReplicas" not in status
    running.mesh.deaf = False
    running.mesh._changed.set()
    await running.until(DEPLOYMENTS, KEY.name, lambda d: d["status"]["availableReplicas"] == 2)


async def test_a_replica_becomes_available_when_its_min_ready_seconds_are_over(
    running: World,
) -> None:
    asking = deployment(1)
    asking["spec"]["minReadySeconds"] = 1
    await running.client.create(asking)
    young = await running.until(DEPLOYMENTS, KEY.name, lambda d: "readyReplicas" in d["status"])
    assert condition(young, "Available") == ("False", "MinimumReplicasUnavailable")
    running.clock.pass_(1)
    old = await running.until(DEPLOYMENTS, KEY.name, lambda d: "availableReplicas" in d["status"])
    assert condition(old, "Available") == ("True", "MinimumReplicasAvailable")


async def test_a_selector_that_changes_moves_the_endpoints(running: World) -> None:
    await running.client.create(deployment(1))
    await running.client.create(service(targetPort=8080))
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 1)
    other = {"spec": {"selector": {"app": "other"}}}
    await running.client.patch(SERVICES, KEY.name, other, namespace=KEY.namespace)
    await running.until_true(lambda: not running.mesh.endpoints(KEY))


async def test_a_port_that_no_container_declares_has_no_endpoint(running: World) -> None:
    await running.client.create(service(targetPort=9999))
    await running.client.create(deployment(1))
    await running.until(DEPLOYMENTS, KEY.name, lambda d: d["status"]["readyReplicas"] == 1)
    assert not running.mesh.endpoints(KEY)


async def test_an_update_keeps_enough_replicas_and_leaves_the_gateway_first(
    running: World,
) -> None:
    await running.client.create(service(targetPort=8080))
    await running.client.create(deployment(4))
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 4)
    former = set(running.node.pods)
    running.mesh.deaf = True
    changed = deployment(4, image="me/server:2")
    await running.client.patch(
        DEPLOYMENTS, KEY.name, {"spec": changed["spec"]}, namespace=KEY.namespace
    )
    await running.until_true(lambda: len(running.node.launched) > 4)
    assert not running.node.stopped
    running.mesh.deaf = False
    running.mesh._changed.set()
    await running.until_true(lambda: former.isdisjoint(running.node.pods), seconds=20)
    done = await running.until(
        DEPLOYMENTS, KEY.name, lambda d: d["status"].get("updatedReplicas") == 4
    )
    assert condition(done, "Available") == ("True", "MinimumReplicasAvailable")
    await running.until_true(lambda: running.mesh.endpoints(KEY) == ports(running))


async def test_a_paused_deployment_scales_and_keeps_its_template(running: World) -> None:
    await running.client.create(deployment(1))
    await running.until(DEPLOYMENTS, KEY.name, lambda d: d["status"]["readyReplicas"] == 1)
    [former] = running.node.pods
    changed = deployment(2, image="me/server:2")["spec"] | {"paused": True}
    await running.client.patch(DEPLOYMENTS, KEY.name, {"spec": changed}, namespace=KEY.namespace)
    paused = await running.until(DEPLOYMENTS, KEY.name, lambda d: d["status"]["readyReplicas"] == 2)
    assert condition(paused, "Progressing") == ("Unknown", "DeploymentPaused")
    assert "updatedReplicas" not in paused["status"]
    images = [one.pod["spec"]["containers"][0]["image"] for one in running.engine.replicas.all(KEY)]
    assert images == ["me/server:1"] * 2
    again = {"spec": {"paused": False}}
    await running.client.patch(DEPLOYMENTS, KEY.name, again, namespace=KEY.namespace)
    done = await running.until(
        DEPLOYMENTS, KEY.name, lambda d: d["status"].get("updatedReplicas") == 2
    )
    assert condition(done, "Progressing")[0] == "True"
    await running.until_true(lambda: former not in running.node.pods)


async def test_deleting_leaves_nothing(running: World) -> None:
    await running.client.create(service(targetPort=8080))
    await running.client.create(deployment(2))
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 2)
    await running.client.delete(DEPLOYMENTS, KEY.name, KEY.namespace)
    await running.until_true(lambda: not running.mesh.endpoints(KEY) and not running.node.pods)
    await running.client.delete(SERVICES, KEY.name, KEY.namespace)
    await running.until_true(lambda: not running.engine._in["slices"].list("default"))
    assert not (await running.client.list(PODS, "default")).items
    assert not (await running.client.list(ENDPOINT_SLICES, "default")).items


async def test_one_made_again_while_the_former_is_busy_has_pods_of_its_own(
    running: World,
) -> None:
    await running.client.create(service(targetPort=8080))
    await running.client.create(deployment(1))
    await running.until_true(lambda: len(running.mesh.endpoints(KEY)) == 1)
    running.mesh.deaf = True
    changed = {"spec": deployment(1, image="me/server:2")["spec"]}
    await running.client.patch(DEPLOYMENTS, KEY.name, changed, namespace=KEY.namespace)
    await running.until_true(lambda: len(running.node.launched) == 2)
    await running.until_true(lambda: any(one.retiring for one in running.engine.replicas.all(KEY)))
    # Its reconciler waits for the gateway now, and sees neither the end nor the new beginning.
    await running.client.delete(DEPLOYMENTS, KEY.name, KEY.namespace)
    again = await running.client.create(deployment(1, image="me/server:2"))
    await running.until_true(
        lambda: uid_of(running.engine._in["deployments"].get(KEY) or again) == uid_of(again)
    )
    running.mesh.deaf = False
    running.mesh._changed.set()
    await running.until(DEPLOYMENTS, KEY.name, lambda d: d["status"]["readyReplicas"] == 1)

    async def pods() -> list[Object]:
        return (await running.client.list(PODS, KEY.namespace)).items

    async with asyncio.timeout(5):
        while [owner_uids(one) for one in await pods()] != [(uid_of(again),)]:
            await asyncio.sleep(0.005)
    [pod] = await pods()
    [state] = running.node.pods.values()
    assert state.name == pod["metadata"]["name"]
    await running.until_true(lambda: running.mesh.endpoints(KEY) == ports(running))


async def test_a_crash_shows_in_the_deployments_status(running: World) -> None:
    running.node.auto = False
    await running.client.create(deployment(1))
    await running.until_true(lambda: running.node.launched)
    running.node.crash(running.node.launched[0], 2, "no such model")
    told = await running.until(
        DEPLOYMENTS, KEY.name, lambda d: "no such model" in str(d["status"]["conditions"])
    )
    assert condition(told, "Available") == ("False", "MinimumReplicasUnavailable")


async def test_an_autoscaler_keeps_its_bounds_and_says_what_it_cannot_do(running: World) -> None:
    await running.client.create(deployment(1))
    await running.client.create(autoscaler(3, 5))
    await running.until(DEPLOYMENTS, KEY.name, lambda d: d["status"].get("readyReplicas") == 3)
    body = {"spec": {"replicas": 9}}
    await running.client.patch(DEPLOYMENTS, KEY.name, body, namespace=KEY.namespace)
    await running.until(DEPLOYMENTS, KEY.name, lambda d: d["spec"]["replicas"] == 5)
    told = await running.until(
        HORIZONTAL_POD_AUTOSCALERS, KEY.name, lambda a: a["status"]["currentReplicas"] == 5
    )
    assert condition(told, "ScalingActive") == ("False", "FailedGetResourceMetric")
    assert "no metrics server" in str(told["status"]["conditions"])


def pod(name: str, **spec: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": KEY.namespace},
        "spec": deployment()["spec"]["template"]["spec"] | spec,
    }


async def test_a_pod_without_a_node_gets_this_one(running: World) -> None:
    await running.client.create(pod("gated", schedulingGates=[{"name": "later"}]))
    await running.client.create(pod("others", schedulerName="mine"))
    await running.client.create(pod("bare"))
    bound = await running.until(PODS, "bare", lambda one: one["spec"].get("nodeName"))
    assert bound["spec"]["nodeName"] == "rouse-local"

    async def told() -> list[str]:
        events = (await running.client.list(EVENTS, KEY.namespace)).items
        return [one["reason"] for one in events if one["involvedObject"]["name"] == "bare"]

    async with asyncio.timeout(5):
        while await told() != ["Scheduled"]:
            await asyncio.sleep(0.005)
    for name in ("gated", "others"):
        left = await running.client.get(PODS, name, KEY.namespace)
        assert "nodeName" not in left["spec"]
