"""The queue before a sink: bounded, never waiting, drained within its time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from time import monotonic

import pytest

from predictors.serving.payloads.events import Event
from predictors.serving.payloads.outbox import Outbox
from predictors.serving.payloads.sinks import SinkError


class Held:
    """A sink that takes nothing before its gate is open."""

    name = "held"
    threads = 1
    batch_seconds = 0.0

    def __init__(self, batch_size: int = 1) -> None:
        self.batch_size = batch_size
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.taken: list[str] = []
        self.failures: list[SinkError] = []
        self.closed = False

    def send(self, events: Sequence[Event]) -> None:
        """Wait for the gate."""
        self.entered.set()
        assert self.gate.wait(20)
        if self.failures:
            raise self.failures.pop(0)
        self.taken += [event.id for event in events]

    def close(self) -> None:
        """Say so."""
        self.closed = True


@pytest.fixture
def sink() -> Iterator[Held]:
    made = Held()
    yield made
    made.gate.set()


def _event(number: int, size: int = 0) -> Event:
    return Event(str(number), "t", "s", 0, "application/json", bytes(size))


def test_what_is_too_much_is_dropped_and_said_once(
    sink: Held, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(sink, max_events=2, max_bytes=1 << 20)
    assert outbox.put(_event(0))
    assert sink.entered.wait(10)  # the first one is under way
    began = monotonic()
    with caplog.at_level(logging.WARNING):
        assert [outbox.put(_event(number)) for number in range(1, 100)] == [True, True] + [
            False
        ] * 97
    assert monotonic() - began < 1
    assert len(caplog.records) == 1
    assert "its queue is full" in caplog.text
    sink.gate.set()
    assert outbox.close(10) == 0
    assert sink.taken == ["0", "1", "2"]
    assert sink.closed


def test_bytes_are_bounded_with_those_under_way(sink: Held) -> None:
    outbox = Outbox(sink, max_events=100, max_bytes=100_000)
    assert outbox.put(_event(0, 90_000))
    assert sink.entered.wait(10)
    assert not outbox.put(_event(1, 20_000))
    assert outbox.put(_event(2, 1_000))
    sink.gate.set()
    assert outbox.close(10) == 0


def test_the_end_waits_no_longer_than_it_may(sink: Held, caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox(sink, max_events=10, max_bytes=1 << 20)
    for number in range(3):
        outbox.put(_event(number))
    assert sink.entered.wait(10)
    assert outbox.close(0.05) == 3
    assert "3 events are lost: the server stops" in caplog.text
    assert not outbox.put(_event(4))


def test_what_another_try_would_not_change_is_given_up(
    sink: Held, caplog: pytest.LogCaptureFixture
) -> None:
    sink.gate.set()
    sink.failures = [SinkError("no", retry=True), SinkError("denied", retry=False)]
    outbox = Outbox(sink, max_events=10, max_bytes=1 << 20)
    outbox.put(_event(0))
    assert outbox.close(10) == 0
    assert sink.taken == []
    assert "1 events are lost: denied" in caplog.text


def test_batches_wait_for_company_but_not_for_ever() -> None:
    sink = Held(batch_size=3)
    sink.batch_seconds = 0.05
    sink.gate.set()
    outbox = Outbox(sink, max_events=10, max_bytes=1 << 20)
    outbox.put(_event(0))
    assert sink.entered.wait(10)
    assert outbox.close(10) == 0
    assert sink.taken == ["0"]
