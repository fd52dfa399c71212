"""The activator's door over a real unix socket: passes, refusals, and clients that leave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from rouse.embedded.refusals import travel_status
from rouse.kube.objects import Key
from tests.unit.knative.activating import Bench

HEADERS = {"Knative-Serving-Revision": "iris-00001", "Knative-Serving-Namespace": "default"}
KEY = Key("default", "iris-00001")


def client(socket: Path) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    return httpx.AsyncClient(transport=transport, base_url="http://activator", timeout=5)


async def test_a_ready_replica_is_answered_at_once(tmp_path: Path) -> None:
    bench = Bench()
    bench.replicas.scale_to(bench.deployment, 1)
    bench.ready()
    async with bench.served(tmp_path) as socket, client(socket) as http:
        response = await http.post("/v1/models/iris:predict", headers=HEADERS)
    assert response.status_code == 200
    assert response.headers["x-envoy-original-dst-host"] == f"127.0.0.1:{bench.port}"
    assert "server-timing" not in response.headers


async def test_a_request_at_zero_waits_and_learns_what_for(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.served(tmp_path) as socket, client(socket) as http:
        waiting = asyncio.create_task(http.get("/", headers=HEADERS))
        await bench.until_held(1)
        bench.ready()
        response = await waiting
    assert response.status_code == 200
    assert response.headers["x-envoy-original-dst-host"] == f"127.0.0.1:{bench.port}"
    assert "process;dur=4.0" in response.headers["server-timing"]


async def test_the_trace_of_the_first_that_waited_is_noted(tmp_path: Path) -> None:
    bench = Bench()
    trace = "0af7651916cd43dd8448eb211c80319c"
    traced = HEADERS | {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    async with bench.served(tmp_path) as socket, client(socket) as http:
        first = asyncio.create_task(http.get("/", headers=traced))
        await bench.until_held(1)
        second = asyncio.create_task(http.get("/", headers=HEADERS | {"traceparent": "made up"}))
        await bench.until_held(2)
        bench.ready()
        assert {(await one).status_code for one in (first, second)} == {200}
    [(_, activation)] = bench.recorded
    assert activation.trace_id == trace
    assert activation.pod == bench.node.launched[-1].name


async def test_by_host_where_there_are_no_headers(tmp_path: Path) -> None:
    bench = Bench()
    bench.replicas.scale_to(bench.deployment, 1)
    bench.ready()
    async with bench.served(tmp_path) as socket, client(socket) as http:
        host = {"host": "iris-00001.default.svc.cluster.local:80"}
        assert (await http.get("/", headers=host)).status_code == 200
        stranger = await http.get("/", headers={"host": "other.default.localhost"})
    assert stranger.status_code == 404
    assert "Knative-Serving-Revision" in stranger.json()["error"]


async def test_an_unknown_revision(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.served(tmp_path) as socket, client(socket) as http:
        unknown = HEADERS | {"Knative-Serving-Revision": "iris-00009"}
        response = await http.get("/", headers=unknown)
    assert response.status_code == 404
    assert response.json() == {"error": "revision default/iris-00009 does not exist"}


async def test_a_full_queue(tmp_path: Path) -> None:
    bench = Bench(queue_limit=1)
    async with bench.served(tmp_path) as socket, client(socket) as http:
        waiting = asyncio.create_task(http.get("/", headers=HEADERS))
        await bench.until_held(1)
        response = await http.get("/", headers=HEADERS)
        assert (response.status_code, response.headers["retry-after"]) == (travel_status(503), "1")
        assert "1 requests wait already" in response.json()["error"]
        bench.ready()
        assert (await waiting).status_code == 200


async def test_the_revisions_timeout(tmp_path: Path) -> None:
    bench = Bench(timeout_s=0.02)
    async with bench.served(tmp_path) as socket, client(socket) as http:
        response = await http.get("/", headers=HEADERS)
    assert response.status_code == travel_status(504)
    assert "within its timeout of 0.02 s" in response.json()["error"]


async def test_a_failing_replica(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.served(tmp_path) as socket, client(socket) as http:
        waiting = asyncio.create_task(http.get("/", headers=HEADERS))
        await bench.until_held(1)
        bench.crash(2, "Traceback", "ValueError: not a model")
        response = await waiting
    assert (response.status_code, response.headers["retry-after"]) == (travel_status(503), "5")
    assert response.json()["error"] == (
        "revision default/iris-00001 cannot start (ExitCode1): ValueError: not a model"
    )


async def test_a_client_that_leaves_gives_its_place_back(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.served(tmp_path) as socket, client(socket) as http:
        waiting = asyncio.create_task(http.get("/", headers=HEADERS))
        await bench.until_held(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await http.aclose()
        await bench.until_held(0)


async def test_many_at_once(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.served(tmp_path) as socket:

        async def ask() -> bytes:
            reader, writer = await asyncio.open_unix_connection(str(socket))
            lines = [
                "GET / HTTP/1.1",
                "host: a",
                *(f"{k}: {v}" for k, v in HEADERS.items()),
                "",
                "",
            ]
            writer.write("\r\n".join(lines).encode())
            answer = await reader.readline()
            writer.close()
            return answer

        waiting = [asyncio.create_task(ask()) for _ in range(500)]
        await bench.until_held(500)
        bench.ready()
        answers = await asyncio.gather(*waiting)
    assert set(answers) == {b"HTTP/1.1 200 OK\r\n"}
    assert bench.pokes == 500
    assert len(bench.node.launched) == 1


async def test_stopping_leaves_no_socket(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    async with bench.served(tmp_path) as socket:
        assert socket.exists()
    assert not socket.exists()
    assert capfd.readouterr() == ("", "")
