"""Spans as a collector gets them, by OTLP over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from predictors.serving import logs, tracing
from predictors.serving.inference import InferenceResponse
from predictors.serving.logs import AccessLog
from predictors.serving.observation import Call, Observers

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.util._once import Once

Serve = Callable[..., str]
V1 = "/v1/models/double:predict"
BODY = {"instances": [[1.0, 2.0]]}
TENSOR = {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 2.0]}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, receiver: Any) -> None:
    """Each test is a process of its own to OpenTelemetry: its provider is set once in one."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")


def _tracer() -> Any:
    tracer = tracing.start({}, "iris")
    assert tracer is not None
    return tracer


async def _ask(url: str, path: str = V1, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        return await client.post(path, **{"json": BODY, **options})


async def _spans(tracer: Any, receiver: Any) -> list[Span]:
    await asyncio.to_thread(tracer.close, 10.0)
    return list(_received(receiver))


def _received(receiver: Any) -> Iterator[Span]:
    for posted in receiver.seen:
        assert posted.path == "/v1/traces"
        assert posted.headers["content-type"] == "application/x-protobuf"
        zipped = posted.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(posted.body) if zipped else posted.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def _attributes(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        assert kind is not None
        found[each.key] = getattr(each.value, kind)
    return found


async def test_a_span_for_each_call_with_its_parts(serve: Serve, receiver: Any) -> None:
    tracer = _tracer()
    headers = {
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": "a=1",
        "x-request-id": "r-1",
    }
    began = time.time_ns()
    assert (await _ask(serve(tracer), headers=headers)).status_code == 200
    ended = time.time_ns()
    spans = await _spans(tracer, receiver)
    (server,) = (span for span in spans if span.kind == Span.SPAN_KIND_SERVER)
    assert server.name == "infer double"
    assert server.trace_id.hex() == TRACE
    assert server.parent_span_id.hex() == PARENT
    assert server.trace_state == "a=1"
    assert _attributes(server) == {
        "model_name": "double",
        "model_version": "1",
        "protocol": "v1",
        "url.path": V1,
        "http.response.status_code": 200,
        "request_id": "r-1",
    }
    children = [span for span in spans if span is not server]
    assert [span.name for span in children] == ["preprocess", "predict", "postprocess"]
    assert {span.parent_span_id for span in children} == {server.span_id}
    times = [began, server.start_time_unix_nano]
    for span in children:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        times.append(span.start_time_unix_nano)
    assert times == sorted(times)
    assert server.end_time_unix_nano <= ended


async def test_calls_that_were_joined_say_so(serve: Serve, receiver: Any) -> None:
    tracer = _tracer()
    call = Observers([tracer]).begin(Call("v2", "/p", "double", "1", {}))
    assert call is not None
    call.answered(b"", "application/json", InferenceResponse((), queue=0.001, batch_rows=8))
    call.end()
    spans = await _spans(tracer, receiver)
    assert "queue" in [span.name for span in spans]
    assert _attributes(spans[-1])["batch_size"] == 8


async def test_the_trace_goes_on_where_a_model_asks_others(serve: Serve, receiver: Any) -> None:
    tracer = _tracer()
    url = serve(tracer)
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    asked = [
        _ask(url, "/v2/models/talk/infer", json={"inputs": [TENSOR]}, headers=headers)
        for _ in range(5)
    ]
    told = [
        json.loads(each.content)["outputs"][0]["data"][0] for each in await asyncio.gather(*asked)
    ]
    spans = await _spans(tracer, receiver)
    servers = {span.span_id.hex() for span in spans if span.kind == Span.SPAN_KIND_SERVER}
    assert {each.split("-")[1] for each in told} == {TRACE}
    assert {each.split("-")[2] for each in told} == servers
    assert len(servers) == 5


async def test_without_traces_nothing_is_passed_on_and_headers_stay(serve: Serve) -> None:
    answer = await _ask(serve(), "/v2/models/talk/infer", json={"inputs": [TENSOR]})
    assert answer.json()["outputs"][0]["data"] == ["none"]


async def test_failures_have_a_status(serve: Serve, receiver: Any) -> None:
    tracer = _tracer()
    url = serve(tracer)
    await _ask(url, json={"instances": [[13.0, 1.0]]})
    await _ask(url, json={"instances": [[14.0, 1.0]]})
    refused, failed = await _spans(tracer, receiver)
    assert _attributes(refused)["http.response.status_code"] == 400
    assert refused.status.code == 0
    assert _attributes(failed)["http.response.status_code"] == 500
    assert failed.status.code == 2
    assert "ZeroDivisionError" in failed.status.message


@pytest.mark.parametrize(
    ("variables", "parent", "exported"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "", 0),
        ({}, f"00-{TRACE}-{PARENT}-00", 0),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, f"00-{TRACE}-{PARENT}-00", 4),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, "", 4),
        ({}, "garbage", 4),
    ],
)
async def test_sampling_is_opentelemetrys(
    serve: Serve,
    receiver: Any,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    parent: str,
    exported: int,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tracer = _tracer()
    await _ask(serve(tracer), headers={"traceparent": parent} if parent else {})
    assert len(await _spans(tracer, receiver)) == exported


async def test_the_start_is_a_trace(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "flowers")
    tracer = _tracer()
    ready = time.time_ns()
    tracer.started({"import": 0.25, "fetch": 0.5, "load": 0.125}, ready)
    spans = await _spans(tracer, receiver)
    assert [span.name for span in spans] == ["import", "fetch", "load", "startup"]
    assert spans[-1].end_time_unix_nano == ready == spans[2].end_time_unix_nano
    assert spans[0].start_time_unix_nano == ready - 875_000_000
    told = ExportTraceServiceRequest.FromString(receiver.seen[0].body).resource_spans[0].resource
    names = {each.key: each.value.string_value for each in told.attributes}
    assert names["service.name"] == "flowers"


async def test_logs_name_request_and_trace(
    serve: Serve, receiver: Any, capsys: pytest.CaptureFixture[str], quiet: None
) -> None:
    logs.configure("info")
    tracer = _tracer()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r-2"}
    await _ask(serve(tracer, AccessLog()), json={"instances": [[14.0, 1.0]]}, headers=headers)
    await _spans(tracer, receiver)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    failure, access = (line for line in lines if line["logger"].startswith("predictors"))
    assert failure["message"] == "model double failed"
    assert access["logger"] == "predictors.access"
    assert access["status"] == 500
    for line in (failure, access):
        assert (line["model"], line["request_id"], line["trace_id"]) == ("double", "r-2", TRACE)


async def test_a_collector_that_hangs_holds_nobody(
    serve: Serve, receiver: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = _tracer()
    receiver.gate.clear()
    assert (await _ask(serve(tracer))).status_code == 200
    began = time.monotonic()
    tracer.close(0.1)
    assert time.monotonic() - began < 8  # the exporter itself would wait for 10 s
    assert "the collector does not answer" in caplog.text
    receiver.gate.set()
    await asyncio.to_thread(receiver.until, 1)


async def test_transformers_go_on_with_the_trace(receiver: Any) -> None:
    from transformers_pre.http_predictor import HttpPredictor
    from transformers_pre.predictor import PredictorSettings

    asked: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers)
        return httpx.Response(200, json={})

    tracer = _tracer()
    predictor = HttpPredictor(
        PredictorSettings("p", "double"), transport=httpx.MockTransport(answer)
    )
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r"}
    call = Observers([tracer]).begin(Call("v1", "/p", "double", "1", headers))
    assert call is not None
    await asyncio.create_task(call.within(predictor.ask(b"{}", headers)))
    await predictor.ask(b"{}", headers)
    call.answered(b"", "application/json")
    call.end()
    await predictor.close()
    (span,) = await _spans(tracer, receiver)
    assert asked[0]["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert asked[1]["traceparent"] == headers["traceparent"]
    assert asked[0]["x-request-id"] == "r"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_when_traces_are_wanted(env: Mapping[str, str], expected: bool) -> None:
    assert tracing.wanted(env) is expected


def test_another_protocol_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tracer = tracing.start({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "iris")
    assert tracer is not None
    tracer.close(1.0)
    assert "http/protobuf, not as grpc" in caplog.text
