"""InferenceServices are checked by the rules of their mode: the installation's default counts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.memory import memory_api

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
CONFIG = "/api/v1/namespaces/{namespace}/configmaps/{name}"


def service(name: str) -> dict[str, Any]:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"model": model, "terminationGracePeriodSeconds": 900}},
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
    async with memory_api() as (_, api):
        await configure(api, {"defaultDeploymentMode": "Nonsense"})
        plain = service("iris")
        del plain["spec"]["predictor"]["terminationGracePeriodSeconds"]
        answer = await api.post(SERVICES, json=plain)
        assert answer.status_code == 201, answer.text
