from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from rouse.embedded.apiserver import history, watchers
from rouse.embedded.apiserver.server import ApiServer

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Events:
    """The events of one watch, one at a time."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> Any:
        async with asyncio.timeout(5):
            return orjson.loads(await anext(self._lines))

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return await anext(self._lines, None) is None


@asynccontextmanager
async def watching(
    api: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **query: str
) -> AsyncIterator[Events]:
    params = {"watch": "true", **query}
    async with api.stream("GET", path, params=params, headers=headers or {}) as response:
        assert response.status_code == 200
        yield Events(response)


async def _create(api: httpx.AsyncClient, name: str, **labels: str) -> dict[str, Any]:
    body = {"metadata": {"name": name, "labels": labels}}
    obj: dict[str, Any] = (await api.post(CONFIG_MAPS, json=body)).json()
    return obj


async def _revision(api: httpx.AsyncClient) -> str:
    return str((await api.get(CONFIG_MAPS)).json()["metadata"]["resourceVersion"])


async def test_changes_come_in_order_and_nothing_is_missed(api: httpx.AsyncClient) -> None:
    start = await _revision(api)
    before = await _create(api, "a")
    async with watching(api, CONFIG_MAPS, resourceVersion=start) as events:
        await api.put(f"{CONFIG_MAPS}/a", json={**before, "data": {"x": "1"}})
        await api.delete(f"{CONFIG_MAPS}/a")
        seen = [await events.next() for _ in range(3)]
    assert [each["type"] for each in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[0]["object"] == before
    revisions = [int(each["object"]["metadata"]["resourceVersion"]) for each in seen]
    assert revisions == sorted(revisions)
    assert seen[2]["object"]["data"] == {"x": "1"}


async def test_without_a_revision_the_present_comes_first(api: httpx.AsyncClient) -> None:
    await _create(api, "a")
    async with watching(api, CONFIG_MAPS) as events:
        assert (await events.next())["object"]["metadata"]["name"] == "a"
        await _create(api, "b")
        assert (await events.next())["object"]["metadata"]["name"] == "b"


async def test_initial_events_end_with_a_bookmark(api: httpx.AsyncClient) -> None:
    await _create(api, "a")
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    async with watching(api, CONFIG_MAPS, None, **query) as events:
        assert (await events.next())["type"] == "ADDED"
        mark = await events.next()
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["kind"] == "ConfigMap"
    metadata = mark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert metadata["resourceVersion"] == await _revision(api)


async def test_a_selector_sees_things_come_and_go(api: httpx.AsyncClient) -> None:
    start = await _revision(api)
    async with watching(api, CONFIG_MAPS, resourceVersion=start, labelSelector="l=x") as events:
        obj = await _create(api, "a", l="y")
        obj["metadata"]["labels"] = {"l": "x"}
        obj = (await api.put(f"{CONFIG_MAPS}/a", json=obj)).json()
        obj["data"] = {"k": "v"}
        obj = (await api.put(f"{CONFIG_MAPS}/a", json=obj)).json()
        obj["metadata"]["labels"] = {}
        await api.put(f"{CONFIG_MAPS}/a", json=obj)
        await api.delete(f"{CONFIG_MAPS}/a")
        await _create(api, "b", l="x")
        seen = [await events.next() for _ in range(4)]
    assert [each["type"] for each in seen] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert seen[3]["object"]["metadata"]["name"] == "b"


async def test_one_object_can_be_watched(api: httpx.AsyncClient) -> None:
    await _create(api, "a")
    await _create(api, "b")
    async with watching(api, f"{CONFIG_MAPS}/b") as events:
        assert (await events.next())["object"]["metadata"]["name"] == "b"


async def test_a_watch_ends_after_its_time(api: httpx.AsyncClient) -> None:
    start = await _revision(api)
    async with watching(api, CONFIG_MAPS, resourceVersion=start, timeoutSeconds="1") as events:
        assert await events.ended()


async def test_too_old_a_revision_is_an_error_event(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_CHANGES", 2)
    start = await _revision(api)
    for number in range(4):
        await _create(api, f"c{number}")
    async with watching(api, CONFIG_MAPS, resourceVersion=start) as events:
        event = await events.next()
        assert event["type"] == "ERROR"
        assert event["object"]["code"] == 410
        assert event["object"]["reason"] == "Expired"
        assert await events.ended()


async def test_a_revision_of_the_future_is_refused(api: httpx.AsyncClient) -> None:
    params = {"watch": "1", "resourceVersion": "999999"}
    answer = await api.get(CONFIG_MAPS, params=params)
    assert answer.status_code == 504
    assert answer.json()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_slow_watcher_is_cut_off(
    api: httpx.AsyncClient, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "MAX_LINES", 3)
    start = await _revision(api)
    async with watching(api, CONFIG_MAPS, resourceVersion=start) as events:
        for number in range(5):
            await _create(api, f"c{number}")
        assert await events.ended()


async def test_tables_can_be_watched(api: httpx.AsyncClient) -> None:
    await _create(api, "a")
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    async with watching(api, CONFIG_MAPS, headers=accept) as events:
        event = await events.next()
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][0] == "a"


async def test_a_client_that_leaves_is_forgotten(api: httpx.AsyncClient, server: ApiServer) -> None:
    async with watching(api, CONFIG_MAPS) as events:
        await _create(api, "a")
        await events.next()
        assert server.state.hub.count() == 1
    assert server.state.hub.count() == 0


async def test_watches_end_when_the_server_stops(api: httpx.AsyncClient, server: ApiServer) -> None:
    async with watching(api, CONFIG_MAPS) as events:
        server.state.hub.close()
        assert await events.ended()
