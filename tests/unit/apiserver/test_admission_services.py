"""InferenceServices are checked by the rules of their mode: the installation's default counts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.admission_kserve import model_admission
from rouse.embedded.apiserver.memory import memory_api

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
CONTAINERS = "/apis/serving.kserve.io/v1alpha1/clusterstoragecontainers"
MODEL = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
CONFIG = "/api/v1/namespaces/{namespace}/configmaps/{name}"


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"model": MODEL, "terminationGracePeriodSeconds": 900}},
    }


async def configure(api: httpx.AsyncClient, data: dict[str, str]) -> None:
    patch = {"data": data}
    answer = await api.patch(
        CONFIG.format(namespace="rouse-system", name="rouse-config"),
        json=patch,
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("mode", "code"), [("Knative", 422), ("Standard", 201)])
async def test_the_default_mode_decides_what_a_pod_may_have(mode: str, code: int) -> None:
    async with memory_api() as (_, api):
        await configure(api, {"defaultDeploymentMode": mode})
        answer = await api.post(SERVICES, json=service("iris"))
        assert answer.status_code == code, answer.text


async def test_settings_that_cannot_be_read_refuse_no_service() -> None:
    # As they were stored before such settings were refused.
    async with memory_api(admission=(model_admission,)) as (_, api):
        await configure(api, {"defaultDeploymentMode": "Nonsense"})
        plain = service("iris")
        del plain["spec"]["predictor"]["terminationGracePeriodSeconds"]
        answer = await api.post(SERVICES, json=plain)
        assert answer.status_code == 201, answer.text


async def test_a_scheme_nobody_fetches_is_refused_until_a_container_supports_it() -> None:
    floppy: dict[str, Any] = service("iris")
    floppy["spec"] = {"predictor": {"model": {**MODEL, "storageUri": "floppy://a"}}}
    async with memory_api() as (_, api):
        answer = await api.post(SERVICES, json=floppy)
        assert answer.status_code == 422
        (cause,) = answer.json()["details"]["causes"]
        assert cause["field"] == "spec.predictor.model.storageUri"
        assert '"floppy://a": nobody fetches floppy://' in cause["message"]
        container = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterStorageContainer",
            "metadata": {"name": "drives"},
            "spec": {
                "container": {"name": "storage-initializer", "image": "drives:v1"},
                "supportedUriFormats": [{"prefix": "floppy://"}],
            },
        }
        answer = await api.post(CONTAINERS, json=container)
        assert answer.status_code == 201, answer.text
        assert (await api.post(SERVICES, json=floppy)).status_code == 201
        assert (await api.delete(f"{CONTAINERS}/drives")).status_code == 200
        label = {"metadata": {"labels": {"a": "b"}}}
        headers = {"content-type": "application/merge-patch+json"}
        answer = await api.patch(f"{SERVICES}/iris", json=label, headers=headers)
        assert answer.status_code == 200, answer.text
