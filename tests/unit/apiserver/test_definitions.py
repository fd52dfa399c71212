from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from rouse.embedded.apiserver.memory import memory_api

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LAMPS = "/apis/test.dev/v1/namespaces/default/lamps"


def definition(**more: Any) -> dict[str, Any]:
    properties = {
        "spec": {
            "type": "object",
            "required": ["colour"],
            "properties": {
                "colour": {"type": "string", "enum": ["red", "green"]},
                "watts": {"type": "integer", "default": 5},
            },
        },
        "status": {"type": "object", "properties": {"lit": {"type": "integer"}}},
    }
    version = {
        "served": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.watts", "statusReplicasPath": ".status.lit"},
        },
        "additionalPrinterColumns": [
            {"name": "Colour", "type": "string", "jsonPath": ".spec.colour"}
        ],
    }
    names = {"plural": "lamps", "kind": "Lamp", "shortNames": ["lp"], "categories": ["all"]}
    spec = {
        "group": "test.dev",
        "scope": "Namespaced",
        "names": names,
        "versions": [
            {"name": "v1", "storage": True, **version},
            {"name": "v1alpha1", "storage": False, **version},
        ],
        **more,
    }
    return {"metadata": {"name": "lamps.test.dev"}, "spec": spec}


def lamp(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "test.dev/v1",
        "kind": "Lamp",
        "metadata": {"name": name},
        "spec": {"colour": "red", **spec},
    }


async def test_a_definition_is_served_at_once(api: httpx.AsyncClient) -> None:
    assert (await api.get(LAMPS)).status_code == 404
    created = (await api.post(DEFINITIONS, json=definition())).json()
    conditions = {each["type"]: each["status"] for each in created["status"]["conditions"]}
    assert conditions == {"Established": "True", "NamesAccepted": "True"}
    assert created["status"]["storedVersions"] == ["v1"]
    assert created["spec"]["names"]["singular"] == "lamp"
    assert created["spec"]["names"]["listKind"] == "LampList"

    stored = await api.post(LAMPS, json=lamp("a"))
    assert stored.status_code == 201
    assert stored.json()["spec"] == {"colour": "red", "watts": 5}
    other = (await api.get(f"{LAMPS.replace('v1/', 'v1alpha1/')}/a")).json()
    assert other["apiVersion"] == "test.dev/v1alpha1"
    assert (await api.get(f"{LAMPS}/a/scale")).json()["spec"] == {"replicas": 5}


async def test_objects_must_fit_the_schema(api: httpx.AsyncClient) -> None:
    await api.post(DEFINITIONS, json=definition())
    bad = await api.post(LAMPS, json=lamp("a", colour="blue", watts="many"))
    assert bad.status_code == 422
    fields = {cause["field"] for cause in bad.json()["details"]["causes"]}
    assert fields == {"spec.colour", "spec.watts"}
    unknown = await api.post(LAMPS, json=lamp("a", wats=3))
    assert unknown.status_code == 201
    warning = unknown.headers["warning"]
    assert warning == '299 - "unknown field \\"spec.wats\\" (did you mean \\"watts\\"?)"'
    assert "wats" not in unknown.json()["spec"]
    strict = await api.post(LAMPS, params={"fieldValidation": "Strict"}, json=lamp("b", wats=3))
    assert strict.status_code == 400
    assert "strict decoding error" in strict.json()["message"]


async def test_tables_have_the_declared_columns(api: httpx.AsyncClient) -> None:
    await api.post(DEFINITIONS, json=definition())
    await api.post(LAMPS, json=lamp("a"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = (await api.get(LAMPS, headers={"accept": accept})).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Colour"]
    assert table["rows"][0]["cells"] == ["a", "red"]


async def test_a_definition_takes_its_objects_along(api: httpx.AsyncClient) -> None:
    await api.post(DEFINITIONS, json=definition())
    held = lamp("a")
    held["metadata"]["finalizers"] = ["rouse.dev/test"]
    await api.post(LAMPS, json=held)
    await api.post(LAMPS, json=lamp("b"))
    await api.delete(f"{DEFINITIONS}/lamps.test.dev")
    async with asyncio.timeout(5):
        while (await api.get(f"{LAMPS}/b")).status_code != 404:
            await asyncio.sleep(0.01)
    refused = await api.post(LAMPS, json=lamp("c"))
    assert refused.status_code == 405
    assert "terminating" in refused.json()["message"]
    await api.patch(
        f"{LAMPS}/a",
        content=b'{"metadata": {"finalizers": null}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    async with asyncio.timeout(5):
        while (await api.get(f"{DEFINITIONS}/lamps.test.dev")).status_code != 404:
            await asyncio.sleep(0.01)
    assert (await api.get(LAMPS)).status_code == 404


async def test_definitions_survive_a_restart(tmp_path: Path) -> None:
    async with memory_api(tmp_path / "x.db", manifests=False) as (_, api):
        await api.post(DEFINITIONS, json=definition())
        await api.post(LAMPS, json=lamp("a"))
    async with memory_api(tmp_path / "x.db", manifests=False) as (_, api):
        assert (await api.get(f"{LAMPS}/a")).json()["spec"]["colour"] == "red"


async def test_bad_definitions_are_refused(api: httpx.AsyncClient) -> None:
    wrong_name = definition()
    wrong_name["metadata"]["name"] = "lamps.other.dev"
    answer = await api.post(DEFINITIONS, json=wrong_name)
    assert answer.status_code == 422
    assert "must be lamps.test.dev" in answer.json()["message"]
    for broken in (
        definition(scope="Galaxy"),
        definition(names={}),
        definition(versions=[]),
        definition(versions=[{"name": "v1", "served": True, "storage": False}]),
    ):
        refused = await api.post(DEFINITIONS, json=broken)
        assert refused.status_code == 422, refused.text
    assert (await api.get(LAMPS)).status_code == 404


async def test_a_definition_of_a_built_in_kind_changes_nothing(api: httpx.AsyncClient) -> None:
    services = "/apis/serving.knative.dev/v1/namespaces/default/services"
    await api.post(services, json={"metadata": {"name": "s"}, "spec": {}})
    names = {"plural": "services", "kind": "Service"}
    body = definition(group="serving.knative.dev", names=names)
    body["metadata"]["name"] = "services.serving.knative.dev"
    path = f"{DEFINITIONS}/services.serving.knative.dev"
    assert (await api.post(DEFINITIONS, json=body)).status_code == 201
    assert (await api.get(f"{services}/s")).status_code == 200
    await api.delete(path)
    async with asyncio.timeout(5):
        while (await api.get(path)).status_code != 404:
            await asyncio.sleep(0.01)
    assert (await api.get(f"{services}/s")).status_code == 200
