"""The definitions in the embedded API server: every kind is kept, explained, and refused there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from rouse.api.definitions import DEFINITIONS, Definition
from rouse.embedded.apiserver.memory import memory_api
from tests.unit.api.kinds import of_kind

Object = dict[str, Any]

IDS = [definition.kind for definition in DEFINITIONS]


@pytest.fixture
async def api() -> AsyncIterator[httpx.AsyncClient]:
    async with memory_api() as (_, client):
        yield client


def path_of(definition: Definition) -> str:
    scope = "" if definition.cluster else "/namespaces/default"
    plural = f"{definition.kind.lower()}s"
    return f"/apis/serving.kserve.io/{definition.version}{scope}/{plural}"


async def test_every_kind_is_discovered_with_its_short_names(api: httpx.AsyncClient) -> None:
    for version in {definition.version for definition in DEFINITIONS}:
        served = (await api.get(f"/apis/serving.kserve.io/{version}")).json()["resources"]
        by_name = {resource["name"]: resource for resource in served}
        for definition in DEFINITIONS:
            if definition.version == version:
                plural = f"{definition.kind.lower()}s"
                resource = by_name[plural]
                assert tuple(resource.get("shortNames", ())) == definition.short_names
                assert resource["namespaced"] is not definition.cluster
                assert (f"{plural}/status" in by_name) is definition.status_subresource


@pytest.mark.parametrize("definition", DEFINITIONS, ids=IDS)
async def test_a_good_object_is_kept_as_it_was_written(
    api: httpx.AsyncClient, definition: Definition
) -> None:
    created = await api.post(path_of(definition), json=of_kind(definition.kind))
    assert created.status_code == 201, created.text
    spec = (await api.get(f"{path_of(definition)}/a")).json()["spec"]
    given = of_kind(definition.kind)["spec"]
    assert {**spec, **given} == spec


@pytest.mark.parametrize("definition", DEFINITIONS, ids=IDS)
async def test_a_typo_is_refused_with_the_nearest_field(
    api: httpx.AsyncClient, definition: Definition
) -> None:
    field, value = next(iter(of_kind(definition.kind)["spec"].items()))
    typo = of_kind(definition.kind, (f"{field}s", value))
    answer = await api.post(path_of(definition), json=typo, params={"fieldValidation": "Strict"})
    assert answer.status_code in (400, 422), answer.text
    assert f"{field}s" in answer.json()["message"]


async def test_what_cannot_change_is_refused_on_an_update(api: httpx.AsyncClient) -> None:
    path = "/apis/serving.kserve.io/v1alpha1/localmodelcaches"
    await api.post(path, json=of_kind("LocalModelCache"))
    answer = await api.patch(
        f"{path}/a",
        content=orjson.dumps({"spec": {"sourceModelUri": "hf://o/n"}}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.status_code == 422
    [cause] = answer.json()["details"]["causes"]
    assert cause["field"] == "spec.sourceModelUri"
    assert "cannot replace" in cause["message"]


async def test_kubectl_explain_finds_words_for_every_kind(api: httpx.AsyncClient) -> None:
    for version in {definition.version for definition in DEFINITIONS}:
        answer = await api.get(f"/openapi/v3/apis/serving.kserve.io/{version}")
        schemas = answer.json()["components"]["schemas"]
        for definition in DEFINITIONS:
            if definition.version == version:
                [schema] = [
                    s for name, s in schemas.items() if name.endswith(f".{definition.kind}")
                ]
                assert schema["description"]
                assert schema["properties"]["spec"]["description"]


async def test_the_columns_of_a_graph_are_those_of_kserve(api: httpx.AsyncClient) -> None:
    graphs = "/apis/serving.kserve.io/v1alpha1/namespaces/default/inferencegraphs"
    await api.post(graphs, json=of_kind("InferenceGraph"))
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    columns = (await api.get(graphs, headers={"accept": table})).json()["columnDefinitions"]
    assert [column["name"] for column in columns] == ["Name", "URL", "Ready", "Age"]
