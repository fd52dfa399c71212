"""Spans of a request's steps, as a collector gets them and as services are told of them."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from tests.unit.graph.doubles import Router, Service

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def spans_of(collector: Service) -> Iterator[Span]:
    for request in collector.requests:
        zipped = request.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(request.body) if zipped else request.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


async def test_a_span_for_each_step_below_that_of_the_request(
    service: Callable[..., Awaitable[Service]],
    router: Callable[..., Router],
    http: httpx.AsyncClient,
) -> None:
    collector = await service((200, {"content-type": "application/x-protobuf"}, b""))
    one, two = await service(), await service((500, {}, b"{}"))
    steps = [{"name": "one", "serviceUrl": one.url}, {"nodeName": "in"}]
    inner = [{"name": "two", "serviceUrl": two.url}]
    nodes = {
        "root": {"routerType": "Sequence", "steps": steps},
        "in": {"routerType": "Ensemble", "steps": inner},
    }
    endpoint = collector.url.removesuffix("/v1/models/m:predict")
    running = router({"nodes": nodes}, env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with asyncio.timeout(30):
        while True:  # until what traces need is imported
            await http.post(running.url, content=b"{}", headers=headers)
            if one.last.headers["traceparent"].split("-")[2] != PARENT:
                break
    await http.post(running.url, content=b"{}", headers=headers)
    assert await asyncio.to_thread(running.stop) == 0

    spans = {span.span_id.hex(): span for span in spans_of(collector)}
    first = spans[one.last.headers["traceparent"].split("-")[2]]
    second = spans[two.last.headers["traceparent"].split("-")[2]]
    server = spans[first.parent_span_id.hex()]
    inner_span = spans[second.parent_span_id.hex()]
    assert (server.name, server.parent_span_id.hex()) == ("route animals", PARENT)
    assert (first.name, first.kind) == ("root one", Span.SPAN_KIND_CLIENT)
    assert (inner_span.name, inner_span.kind) == ("root in", Span.SPAN_KIND_INTERNAL)
    assert inner_span.parent_span_id == server.span_id
    assert (second.name, second.status.code) == ("in two", 2)
    told = {each.key: each.value for each in second.attributes}
    assert told["url.full"].string_value == two.url
    assert told["http.response.status_code"].int_value == 500
    assert {span.trace_id.hex() for span in (server, first, inner_span, second)} == {TRACE}
