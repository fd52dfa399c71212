"""Services that a sequence will ask later wake while the first one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest

from predictors.graph.spec import parse_graph
from predictors.graph.targets import parse_target
from tests.unit.graph.doubles import Reply, Request, Router, Service

Start = Callable[..., Awaitable[Service]]
Routers = Callable[..., Router]

JSON = {"content-type": "application/json"}


def step(name: str, **further: Any) -> dict[str, Any]:
    return {"serviceName": name, "serviceUrl": f"http://{name}/v1/models/m:predict", **further}


def node(kind: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"routerType": kind, "steps": list(steps)}


def elsewhere(name: str) -> dict[str, Any]:
    return {"serviceUrl": f"http://{name}/v1/models/m:predict"}


@pytest.mark.parametrize(
    ("nodes", "later"),
    [
        ({"root": node("Sequence", step("a"))}, []),
        ({"root": node("Sequence", step("a"), step("b"), step("c"))}, ["b", "c"]),
        ({"root": node("Sequence", step("a"), step("b", condition="x"), step("c"))}, []),
        ({"root": node("Sequence", step("a"), step("b"), step("c", condition="x"))}, ["b"]),
        ({"root": node("Sequence", step("a"), elsewhere("b"), step("c"))}, ["c"]),
        ({"root": node("Sequence", step("a"), step("b"), step("b"))}, ["b"]),
        ({"root": node("Ensemble", step("a"), step("b"))}, []),
        (
            {
                "root": node("Sequence", step("a"), {"nodeName": "all"}, {"nodeName": "then"}),
                "all": node("Ensemble", step("b"), step("c")),
                "then": node("Sequence", step("d"), step("e"), step("f", condition="x")),
            },
            ["b", "c", "d", "e"],
        ),
        (
            {
                "root": node("Sequence", step("a"), {"nodeName": "one"}, step("d")),
                "one": node("Switch", step("b", condition="x"), step("c", condition="y")),
            },
            ["d"],
        ),
    ],
)
def test_who_is_asked_later_for_certain(nodes: dict[str, Any], later: list[str]) -> None:
    root = parse_graph(orjson.dumps({"nodes": nodes}), "animals").root
    assert [target.authority for target in root.later] == later


@pytest.mark.parametrize(
    ("path", "readiness"),
    [
        ("/v1/models/m:predict", "/v1/models/m"),
        ("/v2/models/m/infer", "/v2/models/m/ready"),
        ("/v2/models/m/versions/3/infer", "/v2/models/m/versions/3/ready"),
        ("/v1/models/m:explain", None),
        ("/predict", None),
    ],
)
def test_where_a_model_says_that_it_is_ready(path: str, readiness: str | None) -> None:
    assert parse_target(f"http://a{path}").readiness == readiness


async def test_the_second_wakes_beside_the_first(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    second = await service((200, JSON, b'{"predictions":[2]}'))

    async def once_the_second_is_awake(request: Request) -> Reply:
        await second.asked.wait()
        return 200, JSON, b'{"predictions":[1]}'

    first = await service(once_the_second_is_awake)
    steps = [{"serviceName": each.url[-1], "serviceUrl": each.url} for each in (first, second)]
    running = router({"nodes": {"root": node("Sequence", *steps)}}, env={"PROPAGATE_HEADERS": "x-"})
    for _ in range(2):
        answer = await http.post(running.url, json={}, headers={"x-key": "secret"})
        assert answer.json() == {"predictions": [2]}
    paths = [request.path for request in second.requests]
    assert paths == ["/v1/models/m", "/v1/models/m:predict", "/v1/models/m:predict"]
    assert second.requests[0].headers["x-key"] == "secret"


async def test_nobody_waits_for_one_that_does_not_answer(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    async def answers_no_knock(request: Request) -> Reply:
        if request.path == "/v1/models/m":
            await asyncio.Event().wait()
        return 200, JSON, b'{"predictions":[2]}'

    first = await service((200, JSON, b'{"predictions":[1]}'))
    second = await service(answers_no_knock)
    steps = [{"serviceName": each.url[-1], "serviceUrl": each.url} for each in (first, second)]
    running = router({"nodes": {"root": node("Sequence", *steps)}})
    answer = await http.post(running.url, json={})
    assert answer.json() == {"predictions": [2]}
    assert running.stop() == 0
