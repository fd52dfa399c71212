"""The bounded queue before one sink, and the threads that empty it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from time import monotonic
from typing import Final

from predictors.serving.metrics import counter
from predictors.serving.payloads.events import Event
from predictors.serving.payloads.sinks import Sink, SinkError

__all__ = ["Outbox"]

_log = logging.getLogger(__name__)

_TRIES: Final = 5
_FIRST_PAUSE: Final = 0.1
_SAID_SECONDS: Final = 60.0


class Outbox:
    """Takes events without ever waiting, and hands them to a sink in batches.

    An event that finds `max_events` or `max_bytes` waiting is dropped. One that cannot be
    delivered in five tries is lost. Both are counted, and said in the log once a minute.
    """

    def __init__(self, sink: Sink, *, max_events: int, max_bytes: int) -> None:
        self._sink = sink
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._waiting: deque[tuple[float, Event]] = deque()
        self._bytes = 0
        self._busy = 0
        self._at_work = sink.threads
        self._changed = threading.Condition()
        self._closing = False
        # Set when nobody waits for a delivery any more: pauses between tries end.
        self._abandoned = threading.Event()
        self._said = -_SAID_SECONDS
        self._unsaid = 0
        self._sent = counter("payload_log_events_total", "Payload events delivered, by sink.")
        self._lost = counter(
            "payload_log_dropped_total", "Payload events not delivered, by sink and reason."
        )
        self._threads = [
            threading.Thread(target=self._run, name=f"payloads-{sink.name}", daemon=True)
            for _ in range(sink.threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, event: Event) -> bool:
        """Queue an event; False if it was dropped."""
        with self._changed:
            full = (
                len(self._waiting) >= self._max_events
                or self._bytes + event.size > self._max_bytes
                or self._closing
            )
            if not full:
                self._waiting.append((monotonic(), event))
                self._bytes += event.size
                self._changed.notify()
        if full:
            self._dropped(1, "full", "its queue is full")
        return not full

    def close(self, seconds: float) -> int:
        """Deliver what waits within `seconds`; how many events were lost by that."""
        until = monotonic() + seconds
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._waiting or self._busy:
                left = until - monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            lost = len(self._waiting) + self._busy
            self._waiting.clear()
            self._changed.notify_all()
        self._abandoned.set()
        if lost:
            self._dropped(lost, "shutdown", "the server stops")
        else:
            for thread in self._threads:
                thread.join(max(0.0, until - monotonic()))
        return lost

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._deliver(batch)
            finally:
                with self._changed:
                    self._busy -= len(batch)
                    self._bytes -= sum(event.size for event in batch)
                    self._changed.notify_all()
        with self._changed:
            self._at_work -= 1
            last = not self._at_work
        if last:  # a delivery that nobody waits for any more may still end
            self._sink.close()

    def _take(self) -> list[Event]:
        """The next batch, when it is full or its first event has waited long enough."""
        sink = self._sink
        with self._changed:
            while True:
                patience = None
                if self._waiting:
                    patience = self._waiting[0][0] + sink.batch_seconds - monotonic()
                    if self._closing or len(self._waiting) >= sink.batch_size or patience <= 0:
                        break
                elif self._closing:
                    return []
                self._changed.wait(patience)
            count = min(len(self._waiting), sink.batch_size)
            batch = [self._waiting.popleft()[1] for _ in range(count)]
            self._busy += count
            return batch

    def _deliver(self, batch: list[Event]) -> None:
        for attempt in range(_TRIES):
            try:
                self._sink.send(batch)
            except SinkError as error:
                failure = str(error)
                if not error.retry:
                    break
            except Exception as error:
                _log.debug("payload log %s failed", self._sink.name, exc_info=error)
                failure = f"{type(error).__name__}: {error}"
                break
            else:
                self._sent.inc(len(batch), sink=self._sink.name)
                return
            if attempt < _TRIES - 1 and self._abandoned.wait(_FIRST_PAUSE * 2**attempt):
                return
        self._dropped(len(batch), "failed", failure)

    def _dropped(self, count: int, reason: str, why: str) -> None:
        self._lost.inc(count, sink=self._sink.name, reason=reason)
        with self._changed:
            self._unsaid += count
            now = monotonic()
            if reason != "shutdown" and now - self._said < _SAID_SECONDS:
                return
            self._said, unsaid, self._unsaid = now, self._unsaid, 0
        _log.warning("payload log %s: %d events are lost: %s", self._sink.name, unsaid, why)
