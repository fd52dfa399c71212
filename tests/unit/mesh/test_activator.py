"""Real Envoy: the cold path. A request waits for the activator's word and then goes straight on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from rouse.embedded.limits import UNLIMITED, limited_cluster
from rouse.embedded.refusals import travel_status
from rouse.kube.objects import Key, Object
from tests.unit.mesh.harness import (
    KEY,
    Backend,
    Bench,
    backend,
    destination_rule,
    endpoint_slice,
    http2_server,
    service,
    target,
    virtual_service,
)

HOST = "127.0.0.1"


@dataclass
class Check:
    """A question of the gateway, answered by the test. ``gone`` is set when nobody waits."""

    line: str
    headers: dict[str, str]
    body: bytes
    answer: asyncio.Future[bytes]
    gone: asyncio.Event
    cluster: str = UNLIMITED

    def release(self, port: int) -> None:
        """Let the request go to a port."""
        self.reply(
            200,
            {
                "x-envoy-original-dst-host": f"127.0.0.1:{port}",
                "x-rouse-replicas": self.cluster,
                "server-timing": "queue;dur=1.0, load;dur=6.0",
                "x-not-for-clients": "1",
            },
        )

    def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer the question."""
        lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.answer.set_result("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class Activator:
    """Takes checks on a unix socket."""

    def __init__(self) -> None:
        self.checks: asyncio.Queue[Check] = asyncio.Queue()
        self.tasks: set[asyncio.Task[None]] = set()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *lines = head.decode().strip().split("\r\n")
                headers = dict(one.lower().split(": ", 1) for one in lines)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                check = Check(line, headers, body, loop.create_future(), asyncio.Event())
                await self.checks.put(check)
                await self._answer(check, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, check: Check, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        hung_up = asyncio.ensure_future(reader.read(1))
        await asyncio.wait([check.answer, hung_up], return_when=asyncio.FIRST_COMPLETED)
        if hung_up.done():
            check.gone.set()
            raise ConnectionResetError
        hung_up.cancel()
        await asyncio.gather(hung_up, return_exceptions=True)
        writer.write(check.answer.result())
        await writer.drain()


@asynccontextmanager
async def activator(socket: Path) -> AsyncIterator[Activator]:
    one = Activator()
    server = await asyncio.start_unix_server(one.connected, str(socket))
    try:
        yield one
    finally:
        server.close()
        for task in list(one.tasks):
            task.cancel()
        await asyncio.gather(*one.tasks, return_exceptions=True)
        await server.wait_closed()


@pytest.fixture
async def cold(bench: Bench) -> AsyncIterator[Activator]:
    """Host iris leads to revision a, which is at zero: its endpoint is the activator listener."""
    headers = {"Knative-Serving-Revision": "a", "Knative-Serving-Namespace": "default"}
    bench.apply(
        service("a"),
        endpoint_slice("a", bench.ports.activator),
        virtual_service("iris", {"route": [target("a", headers=headers)]}),
    )
    async with activator(bench.activator_socket) as one:
        await bench.settle()
        yield one


async def test_held_then_released_to_a_replica(bench: Bench, cold: Activator) -> None:
    body = b"x" * (3 << 20)  # more than Envoy buffers
    async with backend("replica") as replica:
        asking = asyncio.create_task(
            bench.ask(
                "iris",
                "/v1/models/iris:predict",
                method="POST",
                content=body,
                headers={"traceparent": "00-1-2-01", "authorization": "secret"},
            )
        )
        check = await cold.checks.get()
        assert check.body == b""
        assert check.headers["knative-serving-revision"] == "a"
        assert check.headers["knative-serving-namespace"] == "default"
        assert check.headers["host"] == "iris.default.localhost"
        assert check.headers["traceparent"] == "00-1-2-01"
        assert check.headers["x-request-id"]
        assert (await bench.stats()).active == 1
        assert not asking.done()
        check.release(replica.port)
        response = await asking
        assert response.status_code == 200
        assert response.json()["backend"] == "replica"
        assert len(response.json()["body"]) == len(body)
        assert response.headers["server-timing"] == "queue;dur=1.0, load;dur=6.0"
        assert "x-not-for-clients" not in response.headers
        assert (await bench.stats()).active == 0


def limited(bench: Bench, pool: Object, *ports: int, port_name: str = "http") -> str:
    """Have revision a limited, with replicas on these ports; the cluster they are in."""
    private = service("a-private", port_name=port_name)
    private["metadata"]["labels"] = {
        "serving.knative.dev/revision": "a",
        "networking.internal.knative.dev/serviceType": "Private",
    }
    slices = [
        endpoint_slice("a-private", port, index=index, port_name=port_name)
        for index, port in enumerate(ports)
    ]
    rule = destination_rule("a-private", {"connectionPool": pool})
    to_activator = endpoint_slice("a", bench.ports.activator, port_name=port_name)
    bench.apply(service("a", port_name=port_name), to_activator, private, *slices, rule)
    return limited_cluster("a-private", "default")


async def release_all(cold: Activator, cluster: str) -> None:
    """Answer every check with the cluster."""
    while True:
        check = await cold.checks.get()
        check.cluster = cluster
        check.release(1)


async def test_a_replica_never_sees_more_requests_than_its_limit(
    bench: Bench, cold: Activator
) -> None:
    async with backend("one", held=True) as one, backend("two", held=True) as two:
        cluster = limited(bench, {"tcp": {"maxConnections": 2}}, one.port, two.port)
        await bench.settle()
        assert await bench.gateway.reaching(Key("default", "a-private"), (HOST, one.port), 1)
        releasing = asyncio.create_task(release_all(cold, cluster))
        asking = [asyncio.create_task(bench.ask("iris")) for _ in range(20)]

        async def both_full() -> bool:
            return (one.active, two.active) == (2, 2)

        await bench.until(both_full)
        assert (await bench.stats()).active == 20
        for each in (one, two):
            each.open.set()
        answers = await asyncio.gather(*asking)
        releasing.cancel()
    assert [answer.status_code for answer in answers] == [200] * 20
    assert (one.most, two.most) == (2, 2)
    assert all("x-rouse-replicas" not in answer.json()["headers"] for answer in answers)


async def test_http2_replicas_have_streams_for_a_limit(bench: Bench, cold: Activator) -> None:
    active, most, full, go = 0, 0, asyncio.Event(), asyncio.Event()

    async def app(scope: Any, protocol: Any) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        if active == 3:
            full.set()
        await go.wait()
        active -= 1
        protocol.response_str(200, [], f"HTTP/{scope.http_version}")

    async with http2_server(app) as port:
        pool = {"tcp": {"maxConnections": 1}, "http": {"maxConcurrentStreams": 3}}
        cluster = limited(bench, pool, port, port_name="h2c")
        await bench.settle()
        releasing = asyncio.create_task(release_all(cold, cluster))
        asking = [asyncio.create_task(bench.ask("iris")) for _ in range(12)]
        async with asyncio.timeout(5):
            await full.wait()
        await bench.until(lambda: _active(bench, 12))
        go.set()
        answers = await asyncio.gather(*asking)
        releasing.cancel()
    assert [answer.text for answer in answers] == ["HTTP/2"] * 12
    assert most == 3


async def _active(bench: Bench, count: int) -> bool:
    return (await bench.stats()).active == count


async def test_a_client_cannot_choose_its_replicas(bench: Bench, cold: Activator) -> None:
    async with backend("right") as right:
        chosen = {"x-rouse-replicas": "elsewhere", "x-envoy-original-dst-host": "127.0.0.1:1"}
        asking = asyncio.create_task(bench.ask("iris", headers=chosen))
        (await cold.checks.get()).release(right.port)
        assert (await asking).json()["backend"] == "right"


@pytest.mark.parametrize("status", [404, 502, 503, 504])
async def test_denied_keeps_body_and_headers(bench: Bench, cold: Activator, status: int) -> None:
    asking = asyncio.create_task(bench.ask("iris"))
    check = await cold.checks.get()
    check.reply(
        travel_status(status),
        {"retry-after": "7", "content-type": "application/json", "x-internal": "1"},
        b'{"error": "the queue is full"}',
    )
    response = await asking
    assert response.status_code == status
    assert response.headers["retry-after"] == "7"
    assert response.headers["content-type"] == "application/json"
    assert "x-internal" not in response.headers
    assert response.json() == {"error": "the queue is full"}


async def test_check_that_fails(bench: Bench, cold: Activator) -> None:
    asking = asyncio.create_task(bench.ask("iris"))
    (await cold.checks.get()).reply(500, {}, b"a traceback nobody should see")
    response = await asking
    assert response.status_code == 503
    assert response.json() == {"error": "the activator is not available"}


async def test_no_activator(bench: Bench, cold: Activator) -> None:
    bench.activator_socket.unlink()
    response = await bench.ask("iris")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json() == {"error": "the activator is not available"}


async def test_client_that_hangs_up_ends_the_check(bench: Bench, cold: Activator) -> None:
    asking = asyncio.create_task(bench.ask("iris"))
    check = await cold.checks.get()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(2):
        await check.gone.wait()


async def test_client_cannot_choose_the_address(bench: Bench, cold: Activator) -> None:
    async with backend("victim") as victim:
        spoofed = {"x-envoy-original-dst-host": f"127.0.0.1:{victim.port}"}
        asking = asyncio.create_task(bench.ask("iris", headers=spoofed))
        check = await cold.checks.get()
        check.reply(200, {})  # a word of the activator without an address
        assert (await asking).status_code == 503
        straight = f"http://127.0.0.1:{bench.ports.activator}/"
        asking = asyncio.create_task(bench.client.get(straight, headers=spoofed))
        check = await cold.checks.get()
        check.reply(200, {})
        assert (await asking).status_code == 503
        assert victim.requests == 0


async def test_wake_up_switches_to_the_replica(bench: Bench, cold: Activator) -> None:
    """Held requests end at the replica, later ones do not ask any more, none fails."""
    async with backend("replica") as replica:
        held = [asyncio.create_task(bench.ask("iris")) for _ in range(20)]
        checks = [await cold.checks.get() for _ in held]
        bench.apply(endpoint_slice("a", replica.port))
        assert await bench.gateway.serving(KEY, frozenset([("127.0.0.1", replica.port)]), 1)
        direct = await bench.ask("iris")
        assert "server-timing" not in direct.headers
        assert cold.checks.empty()
        for check in checks:
            check.release(replica.port)
        answers = [response.status_code for response in await asyncio.gather(*held)]
        assert answers == [200] * 20


async def test_http2_replica_is_woken_over_http2(bench: Bench, cold: Activator) -> None:
    port_name = "h2c"
    bench.apply(
        service("a", port_name=port_name),
        endpoint_slice("a", bench.ports.activator, port_name=port_name),
    )
    await bench.settle()
    async with http2_server() as port:
        asking = asyncio.create_task(bench.ask("iris"))
        (await cold.checks.get()).release(port)
        assert (await asking).text == "HTTP/2"


async def test_replica_that_died_meanwhile(bench: Bench, cold: Activator) -> None:
    async with backend("replica") as replica:
        port = replica.port
    asking = asyncio.create_task(bench.ask("iris"))
    (await cold.checks.get()).release(port)
    response = await asking
    assert response.status_code == 503
    assert "closed the connection" in response.json()["error"]


async def test_streams_pass_while_they_last(bench: Bench, cold: Activator) -> None:
    """The first bytes of an answer arrive before it ends: nothing is buffered."""
    first_seen = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await first_seen.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:

        async def ask() -> list[bytes]:
            chunks = []
            headers = {"host": "iris.default.localhost"}
            async with bench.client.stream("GET", "/", headers=headers) as response:
                async for chunk in response.aiter_raw():
                    chunks.append(chunk)
                    first_seen.set()
            return chunks

        asking = asyncio.create_task(ask())
        (await cold.checks.get()).release(port)
        assert b"".join(await asyncio.wait_for(asking, 5)) == b"firstlast"


async def test_added_latency(bench: Bench, cold: Activator) -> None:
    """What the gateway adds to a request, warm and through the activator listener (reported)."""
    async with backend("replica") as replica:

        async def wake() -> None:
            while True:
                (await cold.checks.get()).release(replica.port)

        waking = asyncio.create_task(wake())
        straight = await _median(bench.client, f"http://127.0.0.1:{replica.port}/", replica)
        through = await _median(bench.client, "/", replica)
        waking.cancel()
        bench.apply(endpoint_slice("a", replica.port))
        await bench.settle()
        warm = await _median(bench.client, "/", replica)
        print(
            f"median: straight {straight:.2f} ms, gateway +{warm - straight:.2f} ms, "
            f"through the activator +{through - straight:.2f} ms"
        )
        assert warm - straight < 5


async def _median(client: httpx.AsyncClient, url: str, replica: Backend) -> float:
    clock = asyncio.get_running_loop().time
    taken = []
    for _ in range(200):
        began = clock()
        response = await client.get(url, headers={"host": "iris.default.localhost"})
        taken.append(clock() - began)
        assert response.status_code == 200
    assert replica.requests >= 200
    return sorted(taken)[100] * 1000
