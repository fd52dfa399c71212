"""A trace that a client begins goes through the embedded gateway and on in the predictor."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.unit.mesh.harness import Bench, endpoint_slice, running, target, virtual_service
from tests.unit.mesh.harness import service as mesh_service
from tests.unit.observability.support import predictor
from tests.unit.serving_observability.conftest import Receiver

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED = 5


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def spans(receiver: Receiver) -> Iterator[Span]:
    for posted in receiver.seen:
        zipped = posted.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(posted.body) if zipped else posted.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


async def test_the_clients_trace_goes_on_behind_the_gateway(
    model: Path, receiver: Receiver, tmp_path: Path
) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "client=1"}
    body = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    with (
        tempfile.TemporaryDirectory(prefix="rt-", dir="/tmp") as short,
        predictor(model, tmp_path / "n", env) as server,
    ):
        # The tracer is imported once the server is ready, and tells of the start first.
        receiver.until(1)
        async with running(Bench(Path(short))) as bench:
            bench.apply(
                mesh_service("iris"),
                endpoint_slice("iris", server.port),
                virtual_service("iris", {"route": [target("iris")]}),
            )
            await bench.settle()
            for _ in range(ASKED):
                path = "/v1/models/iris:predict"
                answer = await bench.ask("iris", path, method="POST", json=body, headers=headers)
                assert json.loads(answer.content) == {"predictions": [0]}, answer.text
    calls = [span for span in spans(receiver) if span.kind == Span.SPAN_KIND_SERVER]
    assert len(calls) == ASKED
    for call in calls:
        assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
        assert call.trace_state == "client=1"
    below = {span.parent_span_id for span in spans(receiver) if span.name == "predict"}
    assert below == {call.span_id for call in calls}
