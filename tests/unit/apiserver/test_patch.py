from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


async def patch(
    api: httpx.AsyncClient, path: str, kind: str, body: Any, **query: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return await api.patch(path, params=query, content=content, headers={"content-type": kind})


@pytest.fixture
async def deployed(api: httpx.AsyncClient) -> httpx.AsyncClient:
    containers = [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]
    body = {
        "metadata": {"name": "d"},
        "spec": {"selector": {}, "template": {"spec": {"containers": containers}}},
    }
    assert (await api.post(DEPLOYMENTS, json=body)).status_code == 201
    return api


async def test_the_three_patches(deployed: httpx.AsyncClient) -> None:
    path = f"{DEPLOYMENTS}/d"
    merged = await patch(deployed, path, MERGE, {"metadata": {"labels": {"x": "y"}}})
    assert merged.json()["metadata"]["labels"] == {"x": "y"}
    ops = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert (await patch(deployed, path, JSON, ops)).json()["spec"]["replicas"] == 3
    containers = {"containers": [{"name": "b", "image": "b:2"}]}
    strategic = await patch(deployed, path, STRATEGIC, {"spec": {"template": {"spec": containers}}})
    images = [each["image"] for each in strategic.json()["spec"]["template"]["spec"]["containers"]]
    assert sorted(images) == ["a:1", "b:2"]
    assert strategic.json()["metadata"]["generation"] == 3


async def test_a_patch_that_changes_nothing_writes_nothing(deployed: httpx.AsyncClient) -> None:
    before = (await deployed.get(f"{DEPLOYMENTS}/d")).json()
    after = (await patch(deployed, f"{DEPLOYMENTS}/d", MERGE, {"spec": {"replicas": 1}})).json()
    assert after == before


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (MERGE, b"{", 400),
        (MERGE, b"[]", 400),
        (JSON, b"{}", 400),
        (JSON, b'[{"op": "test", "path": "/spec/replicas", "value": 9}]', 422),
        (JSON, b'[{"op": "remove", "path": "/nothing"}]', 422),
        (JSON, b'[{"op": "replace", "path": "", "value": 1}]', 400),
        (MERGE, b'{"metadata": {"name": "other"}}', 400),
        (MERGE, b'{"metadata": {"resourceVersion": "1"}}', 409),
        (MERGE, b'{"spec": {"replicas": "many"}}', 422),
        ("text/plain", b"{}", 415),
        (APPLY, b"{", 400),
    ],
)
async def test_bad_patches(deployed: httpx.AsyncClient, kind: str, body: bytes, code: int) -> None:
    before = (await deployed.get(f"{DEPLOYMENTS}/d")).json()
    answer = await patch(deployed, f"{DEPLOYMENTS}/d", kind, body, fieldManager="t")
    assert answer.status_code == code, answer.text
    assert answer.json()["kind"] == "Status"
    assert (await deployed.get(f"{DEPLOYMENTS}/d")).json() == before


async def test_what_cannot_be_patched(deployed: httpx.AsyncClient) -> None:
    assert (await patch(deployed, f"{DEPLOYMENTS}/none", MERGE, {})).status_code == 404
    assert (await patch(deployed, DEPLOYMENTS, MERGE, {})).status_code == 405
    await deployed.post(SERVICES, json={"metadata": {"name": "s"}, "spec": {}})
    custom = await patch(deployed, f"{SERVICES}/s", STRATEGIC, {"spec": {}})
    assert custom.status_code == 415


async def test_status_is_patched_apart(deployed: httpx.AsyncClient) -> None:
    body = {"status": {"replicas": 2}, "spec": {"replicas": 9}}
    told = (await patch(deployed, f"{DEPLOYMENTS}/d/status", MERGE, body)).json()
    assert told["status"] == {"replicas": 2}
    assert told["spec"]["replicas"] == 1
    main = (await patch(deployed, f"{DEPLOYMENTS}/d", MERGE, {"status": {"replicas": 7}})).json()
    assert main["status"] == {"replicas": 2}


def _applied(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


async def test_apply_creates_changes_and_removes(api: httpx.AsyncClient) -> None:
    path = f"{CONFIG_MAPS}/a"
    created = await patch(api, path, APPLY, _applied(x="1", y="1"), fieldManager="m")
    assert created.status_code == 201
    entry = created.json()["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("m", "Apply")
    again = await patch(api, path, APPLY, _applied(x="1", y="1"), fieldManager="m")
    assert again.status_code == 200
    assert again.json() == created.json()
    changed = await patch(api, path, APPLY, _applied(x="2"), fieldManager="m")
    assert changed.json()["data"] == {"x": "2"}


async def test_apply_respects_others(api: httpx.AsyncClient) -> None:
    path = f"{CONFIG_MAPS}/a"
    await patch(api, path, APPLY, _applied(x="1"), fieldManager="one")
    refused = await patch(api, path, APPLY, _applied(x="2"), fieldManager="two")
    assert refused.status_code == 409
    assert refused.json()["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    cause = refused.json()["details"]["causes"][0]
    assert cause == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "one"',
        "field": ".data.x",
    }
    forced = await patch(api, path, APPLY, _applied(x="2"), fieldManager="two", force="true")
    assert forced.json()["data"] == {"x": "2"}


async def test_apply_needs_a_manager_and_no_managed_fields(api: httpx.AsyncClient) -> None:
    path = f"{CONFIG_MAPS}/a"
    assert (await patch(api, path, APPLY, _applied())).status_code == 400
    body = _applied()
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    assert (await patch(api, path, APPLY, body, fieldManager="m")).status_code == 400


async def test_apply_takes_yaml_and_the_status(deployed: httpx.AsyncClient) -> None:
    text = b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nstatus: {replicas: 4}\n"
    answer = await patch(deployed, f"{DEPLOYMENTS}/d/status", APPLY, text, fieldManager="m")
    assert answer.json()["status"] == {"replicas": 4}
    missing = await patch(
        deployed,
        f"{DEPLOYMENTS}/none/status",
        APPLY,
        text.replace(b"name: d", b"name: none"),
        fieldManager="m",
    )
    assert missing.status_code == 404
