"""Which calls are logged, and as which events."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final
from zlib import crc32

import orjson

from predictors.serving.observation import Call, Finish
from predictors.serving.payloads.events import REQUEST, RESPONSE, Event, redacted_headers
from predictors.serving.payloads.outbox import Outbox
from predictors.serving.payloads.settings import LoggerSettings
from predictors.serving.payloads.sinks import Sink, sink_of, store_of

__all__ = ["PayloadLogger", "sinks_of"]

_log = logging.getLogger(__name__)

_GRPC: Final = "grpc"
_JSON: Final = "application/json"


def sinks_of(settings: LoggerSettings) -> list[Sink]:
    """Every place that the settings name. Raises `StartupError`."""
    sinks = [sink_of(url, settings) for url in settings.urls]
    return [*sinks, store_of(settings.store, settings)] if settings.store else sinks


class PayloadLogger:
    """Sends each sampled call's request, and its answer unless that is an error, to all sinks.

    The sample is taken by the request's id, so that a transformer and a predictor that sample
    alike log the same requests.
    """

    def __init__(self, settings: LoggerSettings, sinks: list[Sink] | None = None) -> None:
        self._settings = settings
        self._outboxes = [
            Outbox(sink, max_events=settings.queue_events, max_bytes=settings.queue_bytes)
            for sink in (sinks_of(settings) if sinks is None else sinks)
        ]
        self._sampled = settings.sample * 2**32
        annotations = settings.annotations
        self._annotations = orjson.dumps(dict(annotations)).decode() if annotations else ""

    def begin(self, call: Call) -> Finish | None:
        """Decide once for request and answer."""
        if self._settings.sample < 1 and crc32(call.request_id.encode()) >= self._sampled:
            return None
        return lambda: self._ended(call)

    def close(self, seconds: float) -> None:
        """Deliver what waits."""
        until = monotonic() + min(seconds, self._settings.drain_seconds)
        for outbox in self._outboxes:
            outbox.close(max(0.0, until - monotonic()))

    def _ended(self, call: Call) -> None:
        mode = self._settings.mode
        attributes = self._attributes(call)
        if mode != "response":
            self._put(call, REQUEST, call.started_ns, call.body, call.content_type, attributes)
        if mode != "request" and 200 <= call.status < 300:
            self._put(call, RESPONSE, call.ended_ns, call.answer, call.answer_type, attributes)

    def _put(
        self,
        call: Call,
        kind: str,
        time_ns: int,
        data: bytes,
        content_type: str,
        attributes: dict[str, str],
    ) -> None:
        convert = None
        if call.protocol == _GRPC:
            # Imported with gRPC, which is there: this call came by it.
            from predictors.serving.payloads import messages

            convert = messages.request_json if kind == REQUEST else messages.responses_json
            content_type = _JSON
        source = self._settings.source
        event = Event(
            call.request_id, kind, source, time_ns, content_type, data, attributes, convert
        )
        for outbox in self._outboxes:
            outbox.put(event)

    def _attributes(self, call: Call) -> dict[str, str]:
        settings = self._settings
        attributes = {
            **settings.attributes,
            "modelname": call.model,
            "modelversion": call.version,
            "protocol": call.protocol,
        }
        if settings.metadata_headers:
            told = redacted_headers(call.headers, settings.metadata_headers)
            attributes["metadata"] = orjson.dumps(told).decode()
        if self._annotations:
            attributes["annotations"] = self._annotations
        return attributes
