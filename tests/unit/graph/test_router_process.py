"""A router process between real clients and real services: what goes through, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest

from tests.unit.graph.doubles import Reply, Request, Router, Service

Start = Callable[..., Awaitable[Service]]
Routers = Callable[..., Router]

JSON = {"content-type": "application/json"}


def sequence(*urls: str, **further: Any) -> dict[str, Any]:
    steps = [{"serviceUrl": url, "data": "$response"} for url in urls]
    return {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}, **further}


async def test_a_sequence(service: Start, router: Routers, http: httpx.AsyncClient) -> None:
    first = await service((200, JSON, b'{"predictions":[1]}'))
    second = await service((201, JSON, b'{"predictions":[2]}'))
    running = router(sequence(first.url, second.url))
    answer = await http.post(f"{running.url}/any/path", json={"instances": [1]})
    assert (answer.status_code, answer.json()) == (201, {"predictions": [2]})
    assert answer.headers["content-type"] == "application/json"
    assert first.last.path == "/v1/models/m:predict"
    assert orjson.loads(second.last.body) == {"predictions": [1]}


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, JSON, b'{"error":"no such model"}'),
        (503, {"content-type": "text/plain", "retry-after": "7"}, b"later"),
        (200, {"content-type": "text/plain"}, b'{"p":1}'),
        (200, {}, b"\x00\xff"),
        (204, {}, b""),
    ],
)
async def test_what_a_step_answers_is_passed_on(
    service: Start,
    router: Routers,
    http: httpx.AsyncClient,
    status: int,
    headers: dict[str, str],
    body: bytes,
) -> None:
    asked = await service((status, headers, body))
    answer = await http.post(router(sequence(asked.url)).url, content=b"{}")
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("retry-after") == headers.get("retry-after")
    kind = headers.get("content-type", "application/octet-stream")
    if status != 204:
        # As KServe's router: what is JSON is called so where its sender does not.
        assert answer.headers["content-type"] == ("application/json" if body[:1] == b"{" else kind)


ALWAYS = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "a=b",
    "b3": "0",
    "x-b3-traceid": "1",
    "x-request-id": "r1",
    "baggage": "k=v",
    "rouse-lineage": "prev",
}


async def test_headers_of_traces_are_always_passed_on_others_when_asked_for(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    first, second = await service(), await service()
    patterns = "^X-Tenant-.*, (?i)authorization,x-lower,(broken"
    running = router(sequence(first.url, second.url), env={"PROPAGATE_HEADERS": patterns})
    asked = {"X-Tenant-Id": "7", "Authorization": "Bearer t", "X-Lower": "1"}
    await http.post(running.url, content=b"{}", headers={**ALWAYS, **asked, "x-secret": "1"})
    for told in (first.last.headers, second.last.headers):
        assert {name: told.get(name) for name in ALWAYS} == ALWAYS
        assert {name: told.get(name.lower()) for name in asked} == asked
        assert not {"x-secret", "accept-encoding", "user-agent"} & set(told)
        assert told["content-type"] == "application/json"
    assert await asyncio.to_thread(running.stop) == 0
    assert any("(broken" in line["message"] for line in running.log())


async def test_no_pattern_passes_on_what_is_of_one_connection_or_leads_astray(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service()
    running = router(sequence(asked.url), env={"PROPAGATE_HEADERS": ".*"})
    own = {
        "knative-serving-revision": "router-00001",
        "knative-serving-namespace": "default",
        "rouse-lineage": "elsewhere",
        "te": "trailers",
        "expect": "nothing",
    }
    await http.post(running.url, content=b"{}", headers={**own, "x-other": "1"})
    told = asked.last.headers
    assert not set(own) & set(told)
    assert told["x-other"] == "1"
    assert told["host"] == asked.url.split("/")[2]
    assert told["content-length"] == "2"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (None, "application/json"),
        ("application/x-www-form-urlencoded", "application/json"),
        ("text/plain;charset=UTF-8", "application/json"),
        ("application/vnd.a+json", "application/vnd.a+json"),
    ],
)
async def test_a_body_that_is_json_is_called_so(
    service: Start, router: Routers, http: httpx.AsyncClient, said: str | None, sent: str
) -> None:
    asked = await service()
    headers = {} if said is None else {"content-type": said}
    await http.post(router(sequence(asked.url)).url, content=b"{}", headers=headers)
    assert asked.last.headers["content-type"] == sent


async def test_binary_tensors_pass_unharmed(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    async def double(request: Request) -> Reply:
        told = {name: request.headers[name] for name in ("content-type", *LENGTH)}
        return 200, told, request.body[:2] + request.body[2:] * 2

    first, second = await service(double), await service(double)
    running = router(sequence(first.url, second.url))
    tensors = bytes(range(256)) * 4
    headers = {"content-type": "application/octet-stream", **LENGTH}
    answer = await http.post(running.url, content=b"{}" + tensors, headers=headers)
    assert answer.content == b"{}" + tensors * 4
    assert {name: answer.headers[name] for name in headers} == headers


LENGTH = {"inference-header-content-length": "2"}


async def test_a_large_body_goes_through_and_one_too_large_does_not(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    async def echo(request: Request) -> Reply:
        return 200, JSON, request.body

    large = b'"%s"' % (b"x" * 3_000_000)
    asked = await service(echo)
    assert (await http.post(router(sequence(asked.url)).url, content=large)).content == large
    small = router(sequence(asked.url), "--max_body=1000").url
    refused = await http.post(small, content=b"x" * 1001)
    assert (refused.status_code, list(refused.json())) == (413, ["error"])
    assert len(asked.requests) == 1
    asked.handler, asked.reply = None, (200, JSON, b"x" * 1001)
    answer = await http.post(small, content=b"{}")
    assert answer.status_code == 502
    assert "larger than 1000 bytes" in answer.json()["cause"]


async def test_connections_are_kept(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service()
    running = router(sequence(asked.url, asked.url))
    for _ in range(3):
        await http.post(running.url, content=b"{}")
    assert len(asked.requests) == 6
    assert len({request.port for request in asked.requests}) == 1


async def test_its_own_pages(service: Start, router: Routers, http: httpx.AsyncClient) -> None:
    asked = await service()
    graph = {
        "nodes": {
            "root": {
                "routerType": "Splitter",
                "steps": [
                    {"name": "one", "serviceName": "a", "serviceUrl": asked.url, "weight": 100},
                    {"nodeName": "other", "weight": 0},
                ],
            },
            "other": {
                "routerType": "Sequence",
                "steps": [{"serviceUrl": asked.url, "dependency": "Hard"}],
            },
        }
    }
    running = router(graph)
    told = (await http.get(f"{running.url}/")).json()
    assert told["name"] == "animals"
    assert told["nodes"]["root"]["steps"][0] == {
        "name": "one",
        "url": asked.url,
        "weight": 100,
        "dependency": "Soft",
    }
    for path in ("healthz", "readyz"):
        assert (await http.get(f"{running.url}/{path}")).status_code == 200
    assert (await http.get(f"{running.url}/v1/models")).status_code == 404
    refused = await http.put(f"{running.url}/x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert asked.requests == []


async def test_metrics_count_requests_and_every_step(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    one, two = await service((500, JSON, b"{}")), await service()
    running = router(sequence(one.url, two.url))
    await http.post(running.url, content=b"{}")
    await http.post(running.url, content=b"{}")
    text = (await http.get(f"{running.url}/metrics")).text
    labels = 'graph="animals",node="root",step='
    for line in (
        'graph_requests_total{graph="animals",code="200"} 2',
        'graph_request_seconds_count{graph="animals"} 2',
        f'graph_step_requests_total{{{labels}"0",code="500"}} 2',
        f'graph_step_requests_total{{{labels}"1",code="200"}} 2',
        f'graph_step_request_seconds_count{{{labels}"1"}} 2',
        "requests_in_flight 0",
    ):
        assert line in text.splitlines()
    assert "process_cpu_seconds_total" in text


async def test_steps_of_one_name_are_counted_together(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service()
    steps = [{"serviceName": "a", "serviceUrl": asked.url}] * 2
    running = router({"nodes": {"root": {"routerType": "Sequence", "steps": steps}}})
    await http.post(running.url, content=b"{}")
    lines = (await http.get(f"{running.url}/metrics")).text.splitlines()
    series = [line.rpartition(" ")[0] for line in lines]
    assert len(series) == len(set(series))
    told = 'graph_step_requests_total{graph="animals",node="root",step="a",code="200"} 2'
    assert told in lines


async def test_the_log_has_a_line_for_each_failure_and_no_other(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service()
    running = router(sequence(asked.url, "http://127.0.0.1:1/x"), "--retries=0")
    await http.post(running.url, content=b"{}")
    fine = router(sequence(asked.url))
    await http.post(fine.url, content=b"{}")
    noted = router(sequence(asked.url), "--access_log")
    await http.post(f"{noted.url}/p", content=b"{}", headers={"x-request-id": "r7"})
    for each in (running, fine, noted):
        assert await asyncio.to_thread(each.stop) == 0
    failures = [line for line in running.log() if line["level"] != "info"]
    assert [(line["status"], line["step"]) for line in failures] == [(502, "1")]
    assert {line["logger"] for line in fine.log()} == {"predictors.graph.server"}
    accessed = [line for line in noted.log() if line["logger"] == "predictors.access"]
    assert [(line["status"], line["path"], line["request_id"]) for line in accessed] == [
        (200, "/p", "r7")
    ]
