"""Knative's kinds are checked as far as a malformed one would break what runs them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.memory import memory_api

SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"


def service(spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "hello"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"template": {"spec": {"containers": 5}}}, "spec.template.spec.containers"),
        ({"template": {"spec": {"containers": []}}}, "spec.template.spec.containers"),
        ({"template": {"spec": {}}}, "spec.template.spec.containers"),
        ({"template": {"spec": {"containers": ["x"]}}}, "spec.template.spec.containers[0]"),
        (
            {
                "template": {"spec": {"containers": [{"image": "x"}]}},
                "traffic": [{"percent": 130}],
            },
            "spec.traffic[0].percent",
        ),
    ],
)
async def test_what_cannot_be_run_is_refused(spec: Any, field: str) -> None:
    async with memory_api() as (_, http):
        answer = await http.post(SERVICES, json=service(spec))
    assert answer.status_code == 422
    assert field in answer.json()["message"]


async def test_containers_may_go_without_a_name_and_other_fields_are_kept() -> None:
    container = {"image": "x", "securityContext": {"runAsNonRoot": True}}
    spec = {"template": {"spec": {"containers": [container], "enableServiceLinks": False}}}
    async with memory_api() as (_, http):
        answer: httpx.Response = await http.post(SERVICES, json=service(spec))
    assert answer.status_code == 201
    assert answer.json()["spec"] == spec
