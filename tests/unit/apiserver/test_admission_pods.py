"""Pods made through the API come out with their models and credentials."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.admission_pods import pod_admission
from rouse.embedded.apiserver.memory import memory_api

PODS = "/api/v1/namespaces/default/pods"
SETTINGS = "/api/v1/namespaces/rouse-system/configmaps"
SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"


def pod(name: str, uri: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {} if uri is None else {SOURCE: uri}},
        "spec": {
            "containers": [{"name": "kserve-container", "image": "triton"}],
            "serviceAccountName": "reader",
        },
    }


def obj(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


async def make(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_new_pod_gets_the_initializer_with_the_credentials_of_its_account(
    api: httpx.AsyncClient,
) -> None:
    core = "/api/v1/namespaces/default"
    await make(api, f"{core}/secrets", obj("Secret", "hub", stringData={"HF_TOKEN": "hush"}))
    await make(
        api, f"{core}/serviceaccounts", obj("ServiceAccount", "reader", secrets=[{"name": "hub"}])
    )
    made = await make(api, PODS, pod("iris", "hf://org/model"))
    [container] = made["spec"]["initContainers"]
    assert container["args"] == ["hf://org/model", "/mnt/models"]
    reference = {"secretKeyRef": {"name": "hub", "key": "HF_TOKEN"}}
    assert container["env"] == [{"name": "HF_TOKEN", "valueFrom": reference}]
    assert "hush" not in str(made)


async def test_other_pods_and_later_changes_are_left_alone(api: httpx.AsyncClient) -> None:
    made = await make(api, PODS, pod("plain"))
    assert "initContainers" not in made["spec"]
    made["metadata"]["annotations"] = {SOURCE: "hf://org/model"}
    changed = await api.put(f"{PODS}/plain", json=made)
    assert changed.status_code == 200
    assert "initContainers" not in changed.json()["spec"]


async def test_the_config_maps_are_read(api: httpx.AsyncClient) -> None:
    settings = {
        ("kserve", "inferenceservice-config"): {"storageInitializer": '{"memoryLimit": "3Gi"}'},
        ("rouse-system", "rouse-config"): {"storageInitializer": "image: mine/init:v1"},
    }
    for (namespace, name), data in settings.items():
        await api.post("/api/v1/namespaces", json=obj("Namespace", namespace))
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        await make(api, path, obj("ConfigMap", name, data=data))
    made = await make(api, PODS, pod("iris", "hf://org/model"))
    [container] = made["spec"]["initContainers"]
    assert container["image"] == "mine/init:v1"
    assert container["resources"]["limits"]["memory"] == "3Gi"


async def test_a_storage_container_is_asked() -> None:
    async with memory_api() as (_, api):
        path = "/apis/serving.kserve.io/v1alpha1/clusterstoragecontainers"
        special = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterStorageContainer",
            "metadata": {"name": "registry"},
            "spec": {
                "container": {"name": "storage-initializer", "image": "mine/fetch:v2"},
                "supportedUriFormats": [{"prefix": "model-registry://"}],
            },
        }
        await make(api, path, special)
        made = await make(api, PODS, pod("iris", "model-registry://iris/v1"))
        assert made["spec"]["initContainers"][0]["image"] == "mine/fetch:v2"


async def test_a_pod_that_cannot_be_completed_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post(PODS, json=pod("iris", "oci://ghcr.io/a/b:v1"))
    assert answer.status_code == 400
    assert "enableOciVolumes" in answer.json()["message"]


@pytest.mark.parametrize(
    ("data", "status", "told"),
    [
        ({"nonsense": "x"}, 201, "storage-initializer"),
        ({"storageInitializer": "{imge: x}"}, 400, "setting storageInitializer is not known"),
    ],
)
async def test_a_slip_in_the_settings_costs_its_own_key(
    data: dict[str, str], status: int, told: str
) -> None:
    """As one that was stored before slips were refused."""
    async with memory_api(manifests=False, admission=(pod_admission,)) as (_, api):
        config = obj("ConfigMap", "rouse-config", data=data)
        await make(api, SETTINGS, config)
        answer = await api.post(PODS, json=pod("iris", "s3://m/x"))
        assert (answer.status_code, told in answer.text) == (status, True)


async def test_a_slip_in_the_settings_is_refused(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/namespaces", json=obj("Namespace", "rouse-system"))
    slip = obj("ConfigMap", "rouse-config", data={"ingressDomain": "x"})
    answer = await api.post(SETTINGS, json=slip)
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == "data.ingressDomain"
    assert cause["message"].startswith("unknown key; ")
    await make(api, SETTINGS, slip | {"metadata": {"name": "other"}})
    await make(api, SETTINGS, obj("ConfigMap", "rouse-config", data={"domain": "x"}))
