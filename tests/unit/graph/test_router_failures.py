"""A router process when something goes wrong: services, clients, itself."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest

from tests.unit.graph.doubles import Reply, Request, Router, Service

Start = Callable[..., Awaitable[Service]]
Routers = Callable[..., Router]

JSON = {"content-type": "application/json"}


def sequence(*urls: str, **further: Any) -> dict[str, Any]:
    steps = [
        {"serviceUrl": url, "data": "$response", "name": f"s{i}"} for i, url in enumerate(urls)
    ]
    return {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}, **further}


async def never(request: Request) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


async def test_a_service_that_is_not_there(router: Routers, http: httpx.AsyncClient) -> None:
    url = f"http://127.0.0.1:{closed_port()}/v1"
    answer = await http.post(router(sequence(url)).url, content=b"{}")
    assert answer.status_code == 502
    assert answer.json() == {
        "error": f"graph animals, node root, step s0 ({url}): no connection: connection refused",
        "cause": "no connection: connection refused",
        "graph": "animals",
        "node": "root",
        "step": "s0",
        "url": url,
    }


async def test_a_call_that_fails_is_logged_even_where_the_request_does_not(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    gone = f"http://127.0.0.1:{closed_port()}/v1"
    steps = [{"name": "a", "serviceUrl": (await service()).url}, {"name": "b", "serviceUrl": gone}]
    running = router({"nodes": {"root": {"routerType": "Ensemble", "steps": steps}}})
    answer = await http.post(running.url, content=b"{}")
    assert answer.status_code == 200
    assert answer.json()["a"] == {"predictions": [7]}
    assert answer.json()["b"]["url"] == gone
    assert await asyncio.to_thread(running.stop) == 0
    told = [line for line in running.log() if line["level"] == "warning"]
    assert [(line["step"], line["url"], line["status"]) for line in told] == [("b", gone, 502)]


async def test_a_host_without_an_address(router: Routers, http: httpx.AsyncClient) -> None:
    running = router(sequence("http://nowhere.invalid/"), "--retries=0")
    answer = await http.post(running.url, content=b"{}")
    assert answer.status_code == 502
    assert "no connection: the host has no address" in answer.json()["cause"]


async def test_a_connection_that_was_refused_is_tried_again(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    port = closed_port()
    running = router(sequence(f"http://127.0.0.1:{port}/v1"), "--retries=8")
    asking = asyncio.create_task(http.post(running.url, content=b"{}"))
    await asyncio.sleep(0.2)  # so that the first try is refused; it is right without it, too
    made = Service(reply=(200, JSON, b"{}"))
    async with await asyncio.start_server(made.serve, "127.0.0.1", port):
        assert (await asking).status_code == 200


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"", "it closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "before its answer was whole"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is malformed"),
    ],
)
async def test_a_service_that_breaks_off_is_not_asked_again(
    service: Start, router: Routers, http: httpx.AsyncClient, said: bytes, cause: str
) -> None:
    async def breaks(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    asked = await service()
    asked.raw = breaks
    answer = await http.post(router(sequence(asked.url)).url, content=b"{}")
    assert answer.status_code == 502
    assert cause in answer.json()["cause"]
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    ("further", "headers"),
    [
        ({"routerTimeouts": {"serviceClient": 1}}, {}),
        ({"timeout": 1}, {}),
        ({"routerTimeouts": {"serverWrite": 1}, "timeout": 60}, {}),
        ({"timeout": 60}, {"x-request-timeout-ms": "300"}),
    ],
)
async def test_a_step_that_takes_too_long(
    service: Start,
    router: Routers,
    http: httpx.AsyncClient,
    further: dict[str, Any],
    headers: dict[str, str],
) -> None:
    first, second = await service(), await service(never)
    running = router(sequence(first.url, second.url, **further))
    answer = await http.post(running.url, content=b"{}", headers=headers)
    assert answer.status_code == 504
    assert answer.json()["cause"] == "it did not answer in time"
    assert answer.json()["step"] == "s1"
    async with asyncio.timeout(10):
        await second.left.wait()
    told = [asked.last.headers.get("x-request-timeout-ms") for asked in (first, second)]
    if headers:
        assert all(0 < int(each or 0) <= 300 for each in told)
    else:
        assert told == [None, None]


async def test_a_time_that_is_none_is_refused(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    running = router(sequence((await service()).url))
    answer = await http.post(running.url, content=b"{}", headers={"x-request-timeout-ms": "soon"})
    assert answer.status_code == 400
    assert "x-request-timeout-ms must be milliseconds" in answer.json()["error"]


async def test_a_client_that_goes_takes_its_calls_along(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    one, two = await service(never), await service(never)
    steps = [{"serviceUrl": one.url}, {"serviceUrl": two.url}]
    running = router({"nodes": {"root": {"routerType": "Ensemble", "steps": steps}}})
    asking = asyncio.create_task(http.post(running.url, content=b"{}"))
    async with asyncio.timeout(10):
        await one.asked.wait()
        await two.asked.wait()
        asking.cancel()
        await one.left.wait()
        await two.left.wait()
        while 'code="499"} 1' not in (text := (await http.get(f"{running.url}/metrics")).text):
            await asyncio.sleep(0.01)
    assert "requests_in_flight 0" in text


async def test_more_requests_than_allowed_are_turned_away(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    gate = asyncio.Event()

    async def waiting(request: Request) -> Reply:
        await gate.wait()
        return 200, JSON, b"{}"

    asked = await service(waiting)
    running = router(sequence(asked.url), "--max_in_flight=1")
    first = asyncio.create_task(http.post(running.url, content=b"{}"))
    async with asyncio.timeout(10):
        await asked.asked.wait()
    refused = await http.post(running.url, content=b"{}")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "1 requests of the graph animals are in flight" in refused.json()["error"]
    gate.set()
    assert (await first).status_code == 200


async def test_calls_wait_for_a_connection_where_there_are_few(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    most = 0
    now = 0

    async def counting(request: Request) -> Reply:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return 200, JSON, b"{}"

    running = router(sequence((await service(counting)).url), "--connections=2")
    answers = await asyncio.gather(*(http.post(running.url, content=b"{}") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert most == 2


async def test_told_to_end_it_finishes_what_it_has_begun(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    gate = asyncio.Event()

    async def waiting(request: Request) -> Reply:
        await gate.wait()
        return 200, JSON, b"{}"

    asked = await service(waiting)
    running = router(sequence(asked.url))
    asking = asyncio.create_task(http.post(running.url, content=b"{}"))
    async with asyncio.timeout(20):
        await asked.asked.wait()
        running.process.send_signal(signal.SIGTERM)
        while True:
            try:
                ready = await http.get(f"{running.url}/readyz")
            except httpx.TransportError:
                break
            if ready.status_code == 503:
                assert ready.headers["connection"] == "close"
        gate.set()
        answer = await asking
    assert answer.status_code == 200
    assert await asyncio.to_thread(running.process.wait, 20) == 0


async def test_what_does_not_finish_is_cut_off(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service(never)
    running = router(sequence(asked.url), "--drain_seconds=0.2")
    asking = asyncio.create_task(http.post(running.url, content=b"{}"))
    async with asyncio.timeout(20):
        await asked.asked.wait()
        assert await asyncio.to_thread(running.stop) == 1
        answer = await asking
    assert answer.status_code == 503
    assert "The server stops" in answer.json()["error"]


async def test_a_stream_that_is_cut_off_says_so_in_its_last_event(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service()
    asked.raw = streaming = Streaming()
    streaming.next.release()
    running = router(sequence(asked.url), "--drain_seconds=0.2")
    async with http.stream("POST", running.url, content=b"{}") as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == EVENTS[0]
        stopping = asyncio.create_task(asyncio.to_thread(running.stop))
        rest = b"".join([part async for part in parts])
    assert rest.startswith(b"event: error\ndata: ")
    assert b"The server stops" in rest
    assert await stopping == 1


async def test_a_graph_that_asks_itself_comes_to_an_end(
    router: Routers, http: httpx.AsyncClient
) -> None:
    port = closed_port()
    url = f"http://127.0.0.1:{port}/"
    with socket.create_server(("127.0.0.1", port)) as sock:
        running = router(sequence(url), sock=sock)
    answer = await http.post(running.url, content=b"{}")
    assert answer.status_code == 508
    assert "does one of them ask itself" in answer.json()["error"]
    text = (await http.get(f"{running.url}/metrics")).text
    assert 'graph_requests_total{graph="animals",code="508"} 17' in text


EVENTS = (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")


class Streaming:
    """Writes events, each when it is told to."""

    def __init__(self, ends: bytes = b"0\r\n\r\n") -> None:
        self.next = asyncio.Semaphore(0)
        self._ends = ends

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        for event in EVENTS:
            await self.next.acquire()
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
        await self.next.acquire()
        writer.write(self._ends)
        if not self._ends:
            writer.close()


async def test_events_of_the_last_step_are_passed_on_as_they_come(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    first, last = await service(), await service()
    last.raw = streaming = Streaming()
    running = router(sequence(first.url, last.url))
    for _ in range(2):
        streaming.next.release()
        async with http.stream("POST", running.url, content=b"{}") as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            came = []
            async for part in answer.aiter_raw():
                came.append(part)
                streaming.next.release()
        assert came == list(EVENTS)
    assert len({request.port for request in last.requests}) == 1


async def test_events_are_read_whole_where_others_need_them(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    first, last = await service(), await service()
    first.raw = streaming = Streaming()
    for _ in range(4):
        streaming.next.release()
    await http.post(router(sequence(first.url, last.url)).url, content=b"{}")
    assert last.last.body == b"".join(EVENTS)
    assert last.last.headers["content-type"] == "text/event-stream"


async def parts_of(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for part in answer.aiter_raw():
        yield part


async def test_a_client_that_leaves_a_stream_ends_it(
    service: Start, router: Routers, http: httpx.AsyncClient
) -> None:
    asked = await service()
    asked.raw = streaming = Streaming()
    streaming.next.release()
    running = router(sequence(asked.url))
    async with http.stream("POST", running.url, content=b"{}") as answer:
        assert await anext(parts_of(answer)) == EVENTS[0]
    async with asyncio.timeout(10):
        await asked.left.wait()


@pytest.mark.parametrize(
    ("ends", "timeout", "error"),
    [(b"", 0, "it closed the connection before its answer was whole"), (b"", 1, "in time")],
)
async def test_a_stream_that_fails_says_so_in_its_last_event(
    service: Start,
    router: Routers,
    http: httpx.AsyncClient,
    ends: bytes,
    timeout: int,
    error: str,
) -> None:
    asked = await service()
    asked.raw = streaming = Streaming(ends)
    for _ in range(3 if timeout else 4):
        streaming.next.release()
    running = router(sequence(asked.url, routerTimeouts={"serviceClient": timeout}))
    answer = await http.post(running.url, content=b"{}")
    assert answer.content.startswith(b"".join(EVENTS))
    last = answer.content.removeprefix(b"".join(EVENTS)).decode()
    assert last.startswith("event: error\ndata: ")
    assert error in orjson.loads(last.splitlines()[1].removeprefix("data: "))["error"]


async def test_it_starts_fast(service: Start, router: Routers, http: httpx.AsyncClient) -> None:
    asked = await service()
    began = time.perf_counter()
    running = router(sequence(asked.url))
    await http.get(f"{running.url}/readyz")
    assert time.perf_counter() - began < 5  # 0.25 s on a machine that does nothing else
    text = (await http.get(f"{running.url}/metrics")).text
    assert "start_seconds 0." in text
