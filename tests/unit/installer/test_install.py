"""Installing, upgrading and uninstalling, on the API in this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from rouse.errors import RejectedError
from rouse.installer.install import install, read_inventory
from rouse.installer.order import Stage, stages
from rouse.installer.outcome import Action
from rouse.installer.policy import MANAGER
from rouse.installer.remove import uninstall
from rouse.installer.selection import Selection, select
from rouse.installer.waiting import NotInTimeError
from rouse.kube.objects import Object
from rouse.kube.requests import ApiRequest
from tests.unit.installer.world import NAMESPACE, World, world

ISVC = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "iris", "namespace": "default"},
    "spec": {
        "predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://m/iris"}}
    },
}


def test_what_others_need_comes_first_and_what_can_refuse_last() -> None:
    by_stage = stages(reversed(select(Selection("gpu"))))
    assert list(by_stage) == sorted(Stage)
    assert [obj["kind"] for obj in by_stage[Stage.NAMESPACES]] == ["Namespace"]
    assert {obj["kind"] for obj in by_stage[Stage.CONTENTS]} == {"ClusterServingRuntime"}
    assert {obj["kind"] for obj in by_stage[Stage.WEBHOOKS]} == {
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    }


async def test_a_second_time_changes_nothing() -> None:
    async with world() as it:
        first = await it.install()
        assert first["Deployment rouse-system/rouse-controller"] is Action.CREATED
        assert first["ClusterServingRuntime rouse-sklearnserver"] is Action.CREATED
        versions = await _versions(it)
        second = await it.install()
        assert set(second.values()) <= {Action.UNCHANGED, Action.KEPT}
        assert await _versions(it) == versions


async def _versions(it: World) -> list[str]:
    return [
        (await it.cluster.live(obj) or {})["metadata"]["resourceVersion"]
        for obj in it.plan().objects
    ]


async def test_a_dry_run_asks_and_changes_nothing() -> None:
    async with world() as it:
        told = await it.install(dry_run=True)
        assert told["ClusterServingRuntime rouse-sklearnserver"] is Action.CREATED
        assert await it.get("Namespace", NAMESPACE, "") is None
        await it.install()
        after = await it.install("gpu", dry_run=True)
        assert after["ConfigMap knative-serving/config-deployment"] is Action.CREATED
        assert after["ConfigMap rouse-system/rouse-config"] is Action.CONFIGURED
        assert after["Deployment rouse-system/rouse-webhook"] is Action.UNCHANGED
        assert await it.get("ConfigMap", "config-deployment", "knative-serving") is None


async def test_what_drifted_is_repaired() -> None:
    async with world() as it:
        await it.install()
        role = await it.get("ClusterRole", "rouse-controller", "")
        assert role is not None
        await it.change({**role, "rules": []})
        told = await it.install()
        assert told["ClusterRole rouse-controller"] is Action.CONFIGURED
        after = await it.get("ClusterRole", "rouse-controller", "")
        assert after is not None
        assert after["rules"] == role["rules"]


async def test_users_settings_stay() -> None:
    async with world() as it:
        features = {"kubernetes.podspec-affinity": "disabled", "x": "y"}
        await it.set_data("config-features", "knative-serving", features)
        await it.install()
        told = {one.what: one for one in it.told}
        note = told["ConfigMap knative-serving/config-features"].note
        assert note == "kept as somebody set them: kubernetes.podspec-affinity"
        live = await it.get("ConfigMap", "config-features", "knative-serving")
        assert live is not None
        assert live["data"]["kubernetes.podspec-affinity"] == "disabled"
        assert live["data"]["kubernetes.podspec-tolerations"] == "enabled"
        assert "app.kubernetes.io/part-of" not in (live["metadata"].get("labels") or {})
        await _patch_data(it, "rouse-config", {"agent": "image: mine:1\n", "domain": "a.org"})
        await it.install()
        config = await it.get("ConfigMap", "rouse-config")
        assert config is not None
        assert config["data"]["agent"] == "image: mine:1\n"
        assert config["data"]["domain"] == "a.org"
        assert "storageInitializer" in config["data"]


async def _patch_data(it: World, name: str, data: Object) -> None:
    live = await it.get("ConfigMap", name)
    assert live is not None
    await it.user.replace({**live, "data": {**live["data"], **data}})


async def test_a_new_version_of_our_own_settings_is_applied() -> None:
    async with world() as it:
        await it.install()
        newer = [_with_data(obj, "agent", "image: new:2\n") for obj in it.plan().objects]
        await it.install(objects=newer)
        config = await it.get("ConfigMap", "rouse-config")
        assert config is not None
        assert config["data"]["agent"] == "image: new:2\n"


def _with_data(obj: Object, key: str, value: str) -> Object:
    if obj["metadata"]["name"] != "rouse-config":
        return obj
    return {**obj, "data": {**obj["data"], key: value}}


async def test_settings_that_the_former_version_does_not_know_come_after_its_webhook() -> None:
    async with world() as it:
        await it.install()
        newer = [_with_data(obj, "domain", "new.org") for obj in it.plan().objects]
        for name in ("rouse-controller", "rouse-webhook"):
            await it.run_deployment(name)
        refused: list[bool] = []

        def refuses(request: ApiRequest) -> str:
            if request.method != "PATCH" or not request.path.endswith("/rouse-config"):
                return ""
            refused.append("Deployment rouse-system/rouse-webhook" in {one.what for one in it.told})
            # The API server may ask the former one a little longer.
            return "domain: unknown key" if refused.count(True) < 3 else ""

        it.client.refuses = refuses
        told = await it.install(objects=newer, dry_run=True)
        assert told["ConfigMap rouse-system/rouse-config"] is Action.CONFIGURED
        assert refused == [False]
        told = await it.install(objects=newer)
        assert told["ConfigMap rouse-system/rouse-config"] is Action.CONFIGURED
        assert refused == [False, False, True, True, True]
        config = await it.get("ConfigMap", "rouse-config")
        assert config is not None
        assert config["data"]["domain"] == "new.org"


async def test_settings_that_no_version_takes_are_an_error() -> None:
    async with world() as it:
        await it.install()
        wrong = [_with_data(obj, "novelty", "1") for obj in it.plan().objects]
        for name in ("rouse-controller", "rouse-webhook"):
            await it.run_deployment(name)
        with pytest.raises(RejectedError, match="unknown key"):
            await it.install(objects=wrong, timeout_s=1.0)


async def test_gateways_of_others_are_left_alone() -> None:
    gateway: Object = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "knative-ingress-gateway", "namespace": "knative-serving"},
        "spec": {"selector": {"istio": "mine"}, "servers": []},
    }
    async with world() as it:
        await it.user.apply(gateway)
        told = await it.install()
        assert told["Gateway knative-serving/knative-ingress-gateway"] is Action.KEPT
        assert told["Gateway knative-serving/knative-local-gateway"] is Action.CREATED
        again = await it.install()
        assert again["Gateway knative-serving/knative-ingress-gateway"] is Action.KEPT
        await _uninstall(it)
        live = await it.get("Gateway", "knative-ingress-gateway", "knative-serving")
        assert live is not None
        assert live["spec"]["selector"] == {"istio": "mine"}
        assert await it.get("Gateway", "knative-local-gateway", "knative-serving") is None


async def test_an_upgrade_removes_what_is_no_longer_wanted() -> None:
    async with world() as it:
        await it.install("gpu")
        mine: Object = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "mine", "namespace": NAMESPACE},
            "spec": {"podSelector": {}},
        }
        await it.user.apply(mine)
        told = await it.install("minimal", version="2")
        assert told["NetworkPolicy rouse-system/rouse-metrics"] is Action.DELETED
        assert told["ConfigMap knative-serving/config-deployment"] is Action.RELEASED
        assert await it.get("NetworkPolicy", "rouse-metrics") is None
        assert await it.get("NetworkPolicy", "mine")
        released = await it.get("ConfigMap", "config-deployment", "knative-serving")
        assert "progress-deadline" not in (released or {}).get("data", {})
        inventory = await read_inventory(it.cluster)
        assert (inventory.version, inventory.overlay) == ("2", "minimal")
        assert not [each for each in inventory.entries if each.kind == "NetworkPolicy"]


async def test_definitions_are_never_pruned_and_what_lost_our_label_is_kept() -> None:
    async with world() as it:
        await it.install()
        live = await it.get("NetworkPolicy", "rouse-metrics")
        assert live is not None
        await it.user.replace({**live, "metadata": {**live["metadata"], "labels": {}}})
        left = [
            obj for obj in it.plan("minimal").objects if obj["kind"] != "CustomResourceDefinition"
        ]
        told = await it.install(objects=left)
        assert told["NetworkPolicy rouse-system/rouse-metrics"] is Action.KEPT
        name = "inferenceservices.serving.kserve.io"
        assert await it.get("CustomResourceDefinition", name, "")


async def test_an_interrupted_installation_goes_on_and_forgets_nothing() -> None:
    async with world() as it:
        plan = it.plan("gpu")
        broken = [
            {**obj, "spec": {"containers": "none"}} if obj["kind"].endswith("Runtime") else obj
            for obj in plan.objects
        ]
        with pytest.raises(RejectedError):
            await it.install(objects=broken)
        inventory = await read_inventory(it.cluster)
        assert len(inventory.entries) == len(plan.objects)
        assert await it.get("ValidatingWebhookConfiguration", "rouse-webhook", "") is None
        await it.install("gpu")
        assert await it.get("ValidatingWebhookConfiguration", "rouse-webhook", "")


async def test_it_waits_for_deployments_before_the_webhooks_and_then_for_their_authority() -> None:
    events: list[str] = []
    worlds: list[World] = []

    async def slept(_seconds: float) -> None:
        it = worlds[0]
        webhooks = await it.get("ValidatingWebhookConfiguration", "rouse-webhook", "")
        if webhooks is None:
            events.append("deployments")
            await it.run_deployment("rouse-controller")
            await it.run_deployment("rouse-webhook")
            return
        events.append("webhooks")
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
            live = await it.get(kind, "rouse-webhook", "")
            assert live is not None
            hooks = [_with_authority(each) for each in live["webhooks"]]
            await it.change({**live, "webhooks": hooks})

    async with world(slept=slept) as it:
        worlds.append(it)
        await it.install(wait=True)
        assert events == ["deployments", "webhooks"]


def _with_authority(hook: Object) -> Object:
    return {**hook, "clientConfig": {**hook["clientConfig"], "caBundle": "Q0E="}}


async def test_what_does_not_get_ready_is_told_with_its_pods() -> None:
    async with world() as it:
        await it.install("minimal")
        pod: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "p",
                "namespace": NAMESPACE,
                "labels": {"app.kubernetes.io/name": "rouse-controller"},
            },
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
        status = {"containerStatuses": [{"name": "c", "state": {"waiting": waiting}}]}
        stored = await it.user.apply(pod)
        await it.user.replace({**stored, "status": status}, subresource="status")
        said = "rouse-controller is not seen .*ImagePullBackOff: no such image"
        with pytest.raises(NotInTimeError, match=said):
            await it.install("minimal", wait=True, timeout_s=0)


async def _uninstall(it: World, **options: Any) -> dict[str, Action]:
    it.told.clear()
    inventory = await read_inventory(it.cluster)
    settings: dict[str, Any] = {"definitions": False, "timeout_s": 5.0}
    await uninstall(
        it.cluster,
        inventory,
        tell=it.told.append,
        **{**settings, **options},
    )
    return {one.what: one.action for one in it.told}


async def test_uninstall_leaves_users_data() -> None:
    async with world() as it:
        await it.set_data("config-gc", "knative-serving", {"retain-since-create-time": "1h"})
        await it.install("gpu")
        await it.user.apply(ISVC)
        told = await _uninstall(it)
        assert next(iter(told)).endswith("WebhookConfiguration rouse-webhook")
        assert told["ConfigMap rouse-system/rouse-config"] is Action.KEPT
        assert await it.get("InferenceService", "iris", "default")
        assert await it.get("ConfigMap", "rouse-config")
        assert await it.get("Deployment", "rouse-controller") is None
        assert await it.get("ClusterRole", "rouse-controller", "") is None
        assert await it.get("ClusterServingRuntime", "rouse-sklearnserver", "") is None
        assert await it.get("ConfigMap", "rouse-inventory") is None
        collection = await it.get("ConfigMap", "config-gc", "knative-serving")
        assert collection is not None
        assert collection["data"] == {"retain-since-create-time": "1h"}
        managers = {one["manager"] for one in collection["metadata"]["managedFields"]}
        assert MANAGER not in managers
        # And back again.
        await it.install()
        assert await it.get("InferenceService", "iris", "default")


async def test_uninstall_with_definitions_leaves_nothing() -> None:
    async with world() as it:
        await it.install()
        await it.user.apply(ISVC)
        before = await _uninstall(it, dry_run=True, definitions=True)
        assert before["Deployment rouse-system/rouse-controller"] is Action.DELETED
        assert await it.get("Deployment", "rouse-controller")
        await _uninstall(it, definitions=True)
        definitions = await it.cluster.all("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        assert definitions == []
        namespace = await it.get("Namespace", NAMESPACE, "")
        assert namespace is None or "deletionTimestamp" in namespace["metadata"]


async def test_a_definition_that_does_not_go_is_told() -> None:
    async with world() as it:
        await it.install()
        held = {**ISVC, "metadata": {"name": "a", "namespace": "default", "finalizers": ["a.b/c"]}}
        await it.user.apply(held)
        with pytest.raises(NotInTimeError, match=r"inferenceservices\.serving\.kserve\.io"):
            await _uninstall(it, definitions=True, timeout_s=0.0)
        # The controller is still there to clean up.
        assert await it.get("Deployment", "rouse-controller")


async def test_an_unreadable_inventory_is_told() -> None:
    async with world() as it:
        await it.install("minimal")
        await _patch_data(it, "rouse-inventory", {"entries": "?"})
        with pytest.raises(Exception, match="rouse-inventory cannot be read"):
            await it.install("minimal")


async def test_two_installations_at_once_end_as_one() -> None:
    async with world() as it:
        plan = it.plan()
        both = (install(it.cluster, plan, it.told.append) for _ in range(2))
        await asyncio.gather(*both)
        again = await it.install(objects=replace(plan).objects)
        assert set(again.values()) <= {Action.UNCHANGED, Action.KEPT}
