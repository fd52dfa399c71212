"""A router process between real clients and real services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson

from tests.unit.graph.doubles import Router, Service

Start = Callable[..., Awaitable[Service]]
Routers = Callable[..., Router]

JSON = {"content-type": "application/json"}


def sequence(*urls: str, **further: Any) -> dict[str, Any]:
    steps = [
        {"serviceUrl": url, "data": "$response" if i else "$request"} for i, url in enumerate(urls)
    ]
    return {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}, **further}


async def test_a_sequence(service: Start, router: Routers, http: httpx.AsyncClient) -> None:
    first = await service((200, JSON, b'{"predictions":[1]}'))
    second = await service((201, JSON, b'{"predictions":[2]}'))
    running = router(sequence(first.url, second.url))
    answer = await http.post(running.url, json={"instances": [1]})
    assert (answer.status_code, answer.json()) == (201, {"predictions": [2]})
    assert first.last.path == "/v1/models/m:predict"
    assert orjson.loads(second.last.body) == {"predictions": [1]}
    assert await asyncio.to_thread(running.stop) == 0
