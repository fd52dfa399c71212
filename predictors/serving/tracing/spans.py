"""Spans made of calls, by OpenTelemetry's SDK."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from predictors.serving.metrics.process import started_at
from predictors.serving.observation import Call, Finish

__all__ = ["Tracer"]

_log = logging.getLogger(__name__)

_NS: Final = 1e9


class Tracer:
    """A server span for each call, with a child for each part of it that took time.

    Sampling, limits, headers and the endpoint are those of OpenTelemetry's variables. The provider
    is made the global one, so that spans of user code are exported as well, below the call's.
    """

    def __init__(self, service: str) -> None:
        named = "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        own = {} if named or os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
        # Closed by the server within its deadline, not at exit.
        self._provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(self._provider)
        self._tracer = self._provider.get_tracer("rouse.predictors")
        self._w3c = TraceContextTextMapPropagator()

    def begin(self, call: Call) -> Finish:
        """Begin the span of a call; its parent is what the client says in traceparent."""
        span = self._tracer.start_span(
            f"{call.verb} {call.model}" if call.model else f"POST {call.path}",
            self._w3c.extract(_received(call)),
            SpanKind.SERVER,
            start_time=call.started_ns,
        )
        within = trace.set_span_in_context(span)
        outgoing: dict[str, str] = {}
        self._w3c.inject(outgoing, within)
        call.outgoing = outgoing
        call.trace_id = f"{span.get_span_context().trace_id:032x}"
        call.entering.append(lambda: contexts.attach(within))
        return lambda: self._ended(call, span, within)

    def asking(
        self, name: str, attributes: Mapping[str, str], *, remote: bool
    ) -> Callable[[int, str], None]:
        """Begin a span of something asked on behalf of the call of this context.

        It is the parent of what follows in this context until what is returned is called, in this
        context, with an HTTP status and an error or nothing.
        """
        kind = SpanKind.CLIENT if remote else SpanKind.INTERNAL
        span = self._tracer.start_span(name, kind=kind, attributes=dict(attributes))
        token = contexts.attach(trace.set_span_in_context(span))

        def finish(status: int, error: str) -> None:
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_status(Status(StatusCode.ERROR, error))
            contexts.detach(token)
            span.end()

        return finish

    def outgoing(self) -> dict[str, str]:
        """Headers that make what is asked of others a part of this context's span."""
        headers: dict[str, str] = {}
        self._w3c.inject(headers)
        return headers

    def started(self, phases: Mapping[str, float], ready_ns: int) -> None:
        """The span of the start: from the process's until the model was ready."""
        at = ready_ns - int(sum(phases.values()) * _NS)
        span = self._tracer.start_span("startup", start_time=min(at, int(started_at() * _NS) or at))
        within = trace.set_span_in_context(span)
        for phase, seconds in phases.items():
            at = self._child(phase, within, at, seconds)
        span.end(ready_ns)

    def close(self, seconds: float) -> None:
        """Export what is there; a collector that does not answer is given up."""
        # OpenTelemetry's own end waits for the exporter's timeouts, whatever it is told.
        ending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            _log.warning("the last traces are lost: the collector does not answer")

    def _ended(self, call: Call, span: Span, within: contexts.Context) -> None:
        if span.is_recording():
            self._describe(call, span, within)
        span.end(call.ended_ns)

    def _describe(self, call: Call, span: Span, within: contexts.Context) -> None:
        span.set_attributes(
            {
                "model_name": call.model,
                "model_version": call.version,
                "protocol": call.protocol,
                "url.path": call.path,
                "http.response.status_code": call.status,
                "request_id": call.request_id,
            }
        )
        if call.status >= 500:
            span.set_status(Status(StatusCode.ERROR, call.error))
        response = call.response
        if response is None:
            return
        if response.batch_rows:
            span.set_attribute("batch_size", response.batch_rows)
        at = self._child("preprocess", within, call.read_ns, response.preprocess)
        if response.queue:
            at = self._child("queue", within, at, response.queue)
        self._child("predict", within, at, response.predict)
        begun = call.ended_ns - int(response.postprocess * _NS)
        self._child("postprocess", within, begun, response.postprocess)

    def _child(self, name: str, within: contexts.Context, start_ns: int, seconds: float) -> int:
        end = start_ns + int(seconds * _NS)
        self._tracer.start_span(name, within, start_time=start_ns).end(end)
        return end


def _received(call: Call) -> dict[str, str]:
    """What the client says of its trace."""
    names = ("traceparent", "tracestate")
    return {name: value for name in names if (value := call.headers.get(name))}
