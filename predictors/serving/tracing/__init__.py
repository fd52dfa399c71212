"""OpenTelemetry traces: a span for each call, and one for the start of the process.

Nothing of OpenTelemetry is imported unless an endpoint to send spans to is set, and then in a
thread after the server is ready.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from predictors.serving.observation import current

if TYPE_CHECKING:
    from predictors.serving.tracing.spans import Tracer

__all__ = ["start", "trace_headers", "wanted"]

_log = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def wanted(env: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables ask for traces."""
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if env.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return any(env.get(name) for name in _ENDPOINTS)


def start(env: Mapping[str, str], service: str) -> Tracer | None:
    """Import what traces need; None, with a line in the log, where it is not installed.

    The variables themselves are read by OpenTelemetry. `service` is the name of this process
    where OTEL_SERVICE_NAME is not set.
    """
    protocol = next((env[name] for name in _PROTOCOLS if env.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        _log.warning("traces are sent as http/protobuf, not as %s, which is asked for", protocol)
    try:
        from predictors.serving.tracing.spans import Tracer
    except ImportError as error:
        _log.error("no traces: %s. Install rouse[tracing].", error)
        return None
    return Tracer(service)


def trace_headers() -> Mapping[str, str]:
    """Headers that make what is asked of others a part of the trace of the current call.

    Empty where there are no traces: then the client's own headers are passed on as they came.
    """
    call = current()
    return call.outgoing if call is not None else {}
