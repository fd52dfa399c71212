from __future__ import annotations

from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.errors import StatusError
from rouse.embedded.apiserver.pages import Pages

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
async def five(api: httpx.AsyncClient) -> httpx.AsyncClient:
    for number in range(5):
        body: dict[str, Any] = {"metadata": {"name": f"c{number}", "labels": {"n": str(number)}}}
        await api.post(CONFIG_MAPS, json=body)
    return api


def _names(answer: httpx.Response) -> list[str]:
    return [item["metadata"]["name"] for item in answer.json()["items"]]


async def test_a_list_has_its_kind_and_revision(five: httpx.AsyncClient) -> None:
    listed = (await five.get(CONFIG_MAPS)).json()
    assert listed["kind"] == "ConfigMapList"
    assert listed["apiVersion"] == "v1"
    newest = max(int(item["metadata"]["resourceVersion"]) for item in listed["items"])
    assert int(listed["metadata"]["resourceVersion"]) == newest


async def test_pages_show_one_moment(five: httpx.AsyncClient) -> None:
    first = await five.get(CONFIG_MAPS, params={"limit": "2"})
    assert _names(first) == ["c0", "c1"]
    assert first.json()["metadata"]["remainingItemCount"] == 3
    await five.delete(f"{CONFIG_MAPS}/c3")
    token = first.json()["metadata"]["continue"]
    second = await five.get(CONFIG_MAPS, params={"limit": "2", "continue": token})
    assert _names(second) == ["c2", "c3"]
    assert (
        second.json()["metadata"]["resourceVersion"] == first.json()["metadata"]["resourceVersion"]
    )
    token = second.json()["metadata"]["continue"]
    last = await five.get(CONFIG_MAPS, params={"limit": "2", "continue": token})
    assert _names(last) == ["c4"]
    assert "continue" not in last.json()["metadata"]


async def test_a_forgotten_page_is_expired(five: httpx.AsyncClient) -> None:
    answer = await five.get(CONFIG_MAPS, params={"continue": "nonsense"})
    assert answer.status_code == 410
    assert answer.json()["reason"] == "Expired"


def test_pages_are_few_and_short_lived() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    first = pages.keep(1, [])
    tokens = [pages.keep(1, []) for _ in range(64)]
    with pytest.raises(StatusError):
        pages.take(first)
    assert pages.take(tokens[-1]) == (1, [])
    now = 301.0
    with pytest.raises(StatusError):
        pages.take(tokens[-1])


async def test_selectors_choose(five: httpx.AsyncClient) -> None:
    assert _names(await five.get(CONFIG_MAPS, params={"labelSelector": "n in (1,3)"})) == [
        "c1",
        "c3",
    ]
    assert _names(await five.get(CONFIG_MAPS, params={"fieldSelector": "metadata.name=c2"})) == [
        "c2"
    ]
    everywhere = await five.get("/api/v1/configmaps", params={"labelSelector": "n>3"})
    assert _names(everywhere) == ["c4"]
    assert (await five.get(CONFIG_MAPS, params={"labelSelector": "((("})).status_code == 400


async def test_revisions_of_a_list(five: httpx.AsyncClient) -> None:
    now = (await five.get(CONFIG_MAPS)).json()["metadata"]["resourceVersion"]
    assert (await five.get(CONFIG_MAPS, params={"resourceVersion": "0"})).status_code == 200
    exact = {"resourceVersion": now, "resourceVersionMatch": "Exact"}
    assert (await five.get(CONFIG_MAPS, params=exact)).status_code == 200
    exact["resourceVersion"] = str(int(now) - 1)
    assert (await five.get(CONFIG_MAPS, params=exact)).status_code == 410
    assert (await five.get(CONFIG_MAPS, params={"resourceVersion": "x"})).status_code == 400


async def test_tables_and_metadata(five: httpx.AsyncClient) -> None:
    table = (await five.get(CONFIG_MAPS, headers={"accept": TABLE})).json()
    assert table["kind"] == "Table"
    assert table["apiVersion"] == "meta.k8s.io/v1"
    assert table["metadata"]["resourceVersion"]
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert [row["cells"][0] for row in table["rows"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = (await five.get(CONFIG_MAPS, headers={"accept": accept})).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert set(partial["items"][0]) == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("application/vnd.kubernetes.protobuf,application/json", 200),
        ("application/vnd.kubernetes.protobuf", 406),
        ("*/*", 200),
        ("text/html", 406),
        ("application/json;as=Nothing;g=meta.k8s.io;v=v1,application/json", 200),
    ],
)
async def test_what_can_be_answered(api: httpx.AsyncClient, accept: str, code: int) -> None:
    answer = await api.get(CONFIG_MAPS, headers={"accept": accept})
    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/json"
