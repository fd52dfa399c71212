"""The client against scripted answers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import httpx
import orjson
import pytest

from rouse.errors import ConflictError, GoneError, NotFoundError, UnavailableError
from rouse.kube import EventType, KubeClient
from rouse.kube.resources import PODS
from tests.unit.kube.scripted import (
    ScriptedApi,
    Stream,
    answer,
    bookmark,
    gone,
    listed,
    pod,
    refusal,
    watched,
)


async def test_a_list_is_read_page_by_page_and_items_get_their_kind() -> None:
    bare = {"metadata": {"name": "x", "namespace": "a"}}
    api = ScriptedApi(listed("5", pod("p"), continue_="next"), listed("5", bare))
    found = await api.client().list(PODS, "a", labels="x=y")
    assert [one["metadata"]["name"] for one in found.items] == ["p", "x"]
    assert found.items[1]["kind"] == "Pod"
    assert found.resource_version == "5"
    assert "continue=next" in api.lines[1]
    assert all("labelSelector=x%3Dy" in line for line in api.lines)


async def test_a_list_whose_pages_expire_is_read_again_in_one() -> None:
    api = ScriptedApi(
        listed("5", pod("p"), continue_="next"), refusal(410, "Expired"), listed("9", pod("q"))
    )
    found = await api.client().list(PODS)
    assert [one["metadata"]["name"] for one in found.items] == ["q"]
    assert "limit" not in api.lines[2]


async def test_objects_and_refusals() -> None:
    api = ScriptedApi(answer(pod("p")), refusal(404, "NotFound"), refusal(409, "Conflict"))
    client = api.client()
    assert await client.get(PODS, "p", "a") == pod("p")
    with pytest.raises(NotFoundError):
        await client.get(PODS, "p", "a")
    with pytest.raises(ConflictError):
        await client.replace(pod("p"))


async def test_a_dropped_connection_is_tried_once_more_where_that_is_safe() -> None:
    dropped = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    api = ScriptedApi(dropped, answer(pod("p")), dropped, answer(pod("p")), dropped, dropped)
    client = api.client()
    await client.get(PODS, "p", "a")
    await client.apply(pod("p"))
    with pytest.raises(UnavailableError, match="POST /api/v1/namespaces/a/pods: no answer"):
        await client.create(pod("p"))
    assert len(api.requests) == 5


async def test_an_answer_that_is_no_json() -> None:
    with pytest.raises(UnavailableError, match="no JSON"):
        await ScriptedApi(httpx.Response(200, content=b"<")).client().get(PODS, "p", "a")


async def test_watch_lines_may_come_in_any_pieces() -> None:
    text = b"".join(
        orjson.dumps({"type": type_, "object": obj}) + b"\n"
        for type_, obj in [("ADDED", pod("p")), ("DELETED", pod("p")), bookmark("9")]
    )
    for size in (1, 7, len(text)):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        api = ScriptedApi(httpx.Response(200, stream=Stream(chunks)))
        events = [one async for one in api.client().watch(PODS, resource_version="1")]
        assert [one.type for one in events] == ["ADDED", "DELETED", "BOOKMARK"]
        assert events[0].object == pod("p")


async def test_a_watch_too_old() -> None:
    api = ScriptedApi(watched(("ADDED", pod("p")), gone()), refusal(410, "Gone"))
    client = api.client()
    events = client.watch(PODS, resource_version="1")
    assert (await anext(events)).type is EventType.ADDED
    with pytest.raises(GoneError, match="too old"):
        await anext(events)
    with pytest.raises(GoneError):
        await anext(client.watch(PODS, resource_version="1"))


@pytest.mark.parametrize(
    "response",
    [
        watched(then=httpx.ReadError("reset")),
        watched(("SURPRISE", pod("p"))),
        httpx.Response(200, stream=Stream([b"{broken\n"])),
    ],
)
async def test_a_broken_watch_can_be_taken_up_again(response: httpx.Response) -> None:
    with pytest.raises(UnavailableError):
        _ = [one async for one in ScriptedApi(response).client().watch(PODS, resource_version="1")]


async def test_leaving_a_watch_closes_its_connection() -> None:
    stream = Stream([orjson.dumps({"type": "ADDED", "object": pod("p")}) + b"\n"], then="hang")
    client = ScriptedApi(httpx.Response(200, stream=stream)).client()
    async with aclosing(client.watch(PODS, resource_version="1")) as events:
        await anext(events)
        assert not stream.closed
    assert stream.closed


async def test_a_watch_whose_head_never_comes() -> None:
    async def silent(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    transport = httpx.MockTransport(silent)
    http = httpx.AsyncClient(transport=transport, base_url="https://api.test", timeout=0.02)
    client = KubeClient(http)
    with pytest.raises(UnavailableError, match="no answer"):
        await anext(client.watch(PODS, resource_version="1"))


async def test_an_observer_hears_of_every_request() -> None:
    calls: list[tuple[str, int]] = []
    api = ScriptedApi(
        answer(pod("p")),
        listed("5"),
        refusal(404, "NotFound"),
        httpx.ConnectError("refused"),
        watched(),
        answer(pod("p")),
    )
    client = api.client().sharing(observe=lambda call: calls.append((call.verb, call.code)))
    await client.get(PODS, "p", "a")
    await client.list(PODS)
    with pytest.raises(NotFoundError):
        await client.delete(PODS, "p", "a")
    with pytest.raises(UnavailableError):
        await client.create(pod("p"))
    assert [event async for event in client.watch(PODS, resource_version="5")] == []
    await client.apply(pod("p"))
    assert calls == [
        ("get", 200),
        ("list", 200),
        ("delete", 404),
        ("create", 0),
        ("watch", 200),
        ("apply", 200),
    ]


async def test_a_fenced_client_reads_and_does_not_write() -> None:
    api = ScriptedApi(answer(pod("p")))
    client = api.client().sharing(write_for=lambda: -1.0)
    await client.get(PODS, "p", "a")
    with pytest.raises(UnavailableError, match="may no longer write"):
        await client.apply(pod("p"))
    assert len(api.requests) == 1
