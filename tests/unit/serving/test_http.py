"""The data plane over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.listener import Listener
from predictors.serving.model import RequestModel
from predictors.serving.repository.source import ModelSource
from predictors.serving.router import Router
from predictors.serving.routes import HttpAnswer, HttpRequest, Route
from predictors.serving.settings import Limits, PlaneSettings
from predictors.serving.tensors import Tensor

Serve = Callable[[DataPlane], str]
V1 = "/v1/models/double:predict"
BODY = {"instances": [[1.0, 2.0]]}
ANSWER = {"predictions": [[2.0, 4.0]]}


class Counting(RequestModel):
    """Streams 0, 1 and 2; fails at the id's number. Has an endpoint of its own."""

    def load(self) -> None:
        """Nothing to load."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """The headers it was given."""
        text = request.headers.get("x-who", "nobody")
        return InferenceResponse(
            [Tensor("who", np.array([text], dtype=object))], headers={"x-answered": "yes"}
        )

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """Numbers."""
        for number in range(3):
            if request.id == str(number):
                raise InvalidInputError(f"{number} is refused.")
            yield InferenceResponse([Tensor("n", np.array([number]))])

    def routes(self) -> Sequence[Route]:
        """An endpoint beside the protocols."""

        async def shout(request: HttpRequest) -> HttpAnswer:
            return HttpAnswer(201, request.body.upper(), "text/plain", [("x-q", request.query)])

        async def drip(request: HttpRequest) -> HttpAnswer:
            async def parts() -> AsyncIterator[bytes]:
                for part in (b"a", b"b"):
                    yield part

            return HttpAnswer(stream=parts(), content_type="text/plain")

        return [Route("POST", "/own/shout", shout), Route("GET", "/own/drip", drip)]


def _dear(plane: DataPlane, name: str = "double") -> None:
    plane.endpoint(name)._scheduler.cost = 1.0


async def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=10)


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_compressed_bodies(serve: Serve, model: Any, coding: str, pack: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    async with await _client(serve(plane)) as client:
        body = pack(b'{"instances": [[1.0, 2.0]]}')
        answer = await client.post(V1, content=body, headers={"content-encoding": coding})
        assert (answer.status_code, answer.json()) == (200, ANSWER)


@pytest.mark.parametrize(
    ("coding", "body", "status", "reason"),
    [
        ("br", b"x", 400, "Content-Encoding must be gzip, deflate or identity, got 'br'."),
        ("gzip", b"no gzip", 400, "The body is not valid gzip: "),
        ("gzip", gzip.compress(b"{}")[:-6], 400, "The body is not valid gzip: it ends early."),
        ("gzip", gzip.compress(bytes(10_000)), 413, "The body is larger, unpacked; this server"),
    ],
    # A compressed body holds the time it was made at.
    ids=["another coding", "no gzip", "cut off", "too large"],
)
async def test_compressed_bodies_that_are_refused(
    serve: Serve, model: Any, coding: str, body: bytes, status: int, reason: str
) -> None:
    plane = DataPlane(settings=PlaneSettings(Limits(body_bytes=1000)))
    plane.publish(model)
    async with await _client(serve(plane)) as client:
        answer = await client.post(V1, content=body, headers={"content-encoding": coding})
        assert answer.status_code == status
        assert answer.json()["error"].startswith(reason)


@pytest.mark.parametrize("length", ["abc", "-1", "1_0", "9" * 5000])
async def test_a_content_length_that_is_none(serve: Serve, model: Any, length: str) -> None:
    plane = DataPlane()
    plane.publish(model)
    port = int(serve(plane).rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {V1} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{{}}".encode())
    status = await asyncio.wait_for(reader.readline(), 5)
    assert status.split()[1] in (b"400", b"413")
    writer.close()


async def test_a_deadline_by_header(serve: Serve, model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    _dear(plane)
    model.gate.clear()
    async with await _client(serve(plane)) as client:
        late = await client.post(V1, json=BODY, headers={"x-request-timeout-ms": "30"})
        assert late.status_code == 504
        assert late.json()["error"].startswith("Model double did not answer within the time")
        model.gate.set()
        _dear(plane)
        for text in ("soon", "-1", "nan", "inf"):
            wrong = await client.post(V1, json=BODY, headers={"x-request-timeout-ms": text})
            assert wrong.status_code == 400, text


async def test_work_of_a_client_that_went_away_is_dropped(serve: Serve, model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    _dear(plane)
    model.gate.clear()
    url = serve(plane)
    async with await _client(url) as client:
        running = asyncio.create_task(client.post(V1, json=BODY))
        assert await asyncio.to_thread(model.entered.acquire, True, 10)
        port = int(url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b'{"instances": [[1, 2]]}'
        head = f"POST {V1} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        endpoint = plane.endpoint("double")
        await _until(lambda: endpoint._scheduler.waiting == 1)
        writer.close()
        await _until(lambda: endpoint.in_flight == 1)
        model.gate.set()
        assert (await running).json() == ANSWER
    assert model.calls == [1]
    assert plane.metrics.models["double"].failures == {499: 1}


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():
            await asyncio.sleep(0.005)


async def test_concurrent_requests_over_both_protocols_share_calls(
    serve: Serve, model: Any
) -> None:
    plane = DataPlane()
    plane.publish(model)
    _dear(plane)
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 2.0]}
    async with await _client(serve(plane)) as client:
        model.gate.clear()
        first = asyncio.create_task(client.post(V1, json=BODY))
        assert await asyncio.to_thread(model.entered.acquire, True, 10)
        others = [
            asyncio.create_task(client.post(V1, json=BODY)),
            asyncio.create_task(client.post("/v2/models/double/infer", json={"inputs": [tensor]})),
        ]
        await _until(lambda: plane.endpoint("double")._scheduler.waiting == 2)
        model.gate.set()
        answers = [await task for task in (first, *others)]
        text = (await client.get("/metrics")).text
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[1].json() == ANSWER
    assert answers[2].json()["outputs"][0]["data"] == [2.0, 4.0]
    assert "queue;dur=" in answers[1].headers["server-timing"]
    assert 'request_queue_seconds_count{model_name="double"} 3' in text
    assert 'batch_rows_sum{model_name="double"} 3' in text
    assert 'model_infer_request_success_total{model="double",version="1"} 3' in text


async def test_the_first_answer_tells_of_the_start_it_waited_for(model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    application = Application(plane, Router(plane, {"name": "test"}))
    application.tell_start({"import": 0.5, "load": 0.25}, 1.0)
    listener = Listener(application, sock := socket.create_server(("127.0.0.1", 0)))
    listener.start()
    async with await _client(f"http://127.0.0.1:{sock.getsockname()[1]}") as client:
        first, second = [(await client.post(V1, json=BODY)).headers for _ in range(2)]
    await listener.drain(5)
    started = "process;dur=250.000, import;dur=500.000, load;dur=250.000"
    assert started in first["server-timing"]
    assert first["server-timing"].startswith("predict;dur=")
    assert "process" not in second["server-timing"]


async def test_streams_are_server_sent_events(serve: Serve) -> None:
    plane = DataPlane()
    plane.publish(Counting("count"))
    tensor = {"name": "x", "datatype": "FP64", "shape": [1], "data": [1.0]}
    path = "/v2/models/count/infer_stream"
    async with await _client(serve(plane)) as client:
        answer = await client.post(path, json={"id": "a", "inputs": [tensor]})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        events = answer.text.strip().split("\n\n")
        assert len(events) == 3
        assert all(event.startswith('data: {"model_name":"count"') for event in events)
        refused = await client.post(path, json={"id": "0", "inputs": [tensor]})
        assert (refused.status_code, refused.json()) == (400, {"error": "0 is refused."})
        broken = await client.post(path, json={"id": "2", "inputs": [tensor]})
        assert broken.text.endswith('event: error\ndata: {"error":"2 is refused."}\n\n')


async def test_endpoints_of_the_models_own(serve: Serve) -> None:
    plane = DataPlane()
    url = serve(plane)
    plane.publish(Counting("count"))
    async with await _client(url) as client:
        answer = await client.post("/own/shout?a=1", content=b"hey")
        assert (answer.status_code, answer.text, answer.headers["x-q"]) == (201, "HEY", "a=1")
        assert (await client.get("/own/drip")).text == "ab"
        wrong = await client.get("/own/shout")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        tensor = {"name": "x", "datatype": "FP64", "shape": [1], "data": [1.0]}
        told = await client.post(
            "/v2/models/count/infer", json={"inputs": [tensor]}, headers={"x-who": "me"}
        )
        assert told.json()["outputs"][0]["data"] == ["me"]
        assert told.headers["x-answered"] == "yes"


class _Shelf:
    def __init__(self, make: Any) -> None:
        self._make = make

    def find(self) -> Sequence[ModelSource]:
        return [ModelSource("a", "1", "."), ModelSource("b", "3", ".")]

    def load(self, source: ModelSource) -> Any:
        return self._make(source.name, source.version)


async def test_the_repository(serve: Serve, make: Any) -> None:
    plane = DataPlane(repository=_Shelf(make))
    async with await _client(serve(plane)) as client:
        missing = {"version": "1", "state": "UNAVAILABLE", "reason": "not loaded"}
        index = await client.post("/v2/repository/index", json={})
        assert index.json()[0] == {"name": "a", **missing}
        loaded = await client.post("/v2/repository/models/b/load")
        assert (loaded.status_code, loaded.json()) == (200, {"name": "b", "load": True})
        index = await client.post("/v2/repository/index", json={"ready": True})
        assert index.json() == [{"name": "b", "version": "3", "state": "READY", "reason": ""}]
        answer = await client.post("/v1/models/b:predict", json=BODY)
        assert answer.json() == ANSWER
        assert (await client.get("/v2/models/b/versions/3/ready")).status_code == 200
        assert (await client.get("/v2/models/b")).json()["versions"] == ["3"]
        gone = await client.post("/v2/repository/models/b/unload", json={"parameters": {}})
        assert gone.json() == {"name": "b", "unload": True}
        assert (await client.post("/v1/models/b:predict", json=BODY)).status_code == 404
        assert (await client.post("/v2/repository/models/c/load")).status_code == 404
        assert (await client.post("/v2/repository/index", content=b"[")).status_code == 400
        assert (await client.get("/v2/repository/index")).status_code == 405


async def test_documents(serve: Serve, model: Any) -> None:
    plane = DataPlane()
    plane.publish(model)
    async with await _client(serve(plane)) as client:
        everything = (await client.get("/openapi.json")).json()
        own = (await client.get("/v2/models/double/openapi.json")).json()
        page = await client.get("/v2/models/double/docs")
    assert set(own["paths"]) < set(everything["paths"])
    assert "/v2/models/double/infer" in own["paths"]
    assert page.headers["content-type"].startswith("text/html")
    assert "double" in page.text


async def test_a_path_that_a_loading_model_may_bring_is_not_there_as_yet(serve: Serve) -> None:
    async with await _client(serve(DataPlane(["slow"]))) as client:
        answer = await client.post("/invocations", json={})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"] == (
        "Path /invocations does not exist on this server as yet: its model is loading."
    )
