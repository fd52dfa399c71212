"""The ledger of one activation: phases that add up, a header, and a record that reads back."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from rouse.coldstart import Activation
from rouse.errors import InvalidError

BEGAN = datetime(2026, 11, 21, 8, 30, 15, 250_000, tzinfo=UTC)
WOKEN = Activation.measured(
    BEGAN, 0.0312, {"ready": 0.002, "load": 0.006, "process": 0.0041, "import": 0.0}
)


def test_what_no_phase_explains_is_queue() -> None:
    assert WOKEN.phases["queue"] == pytest.approx(0.0191)
    assert sum(WOKEN.phases.values()) == pytest.approx(WOKEN.total_s)


def test_phases_longer_than_the_wait_leave_no_queue() -> None:
    # The replica was already starting when the first request came.
    late = Activation.measured(BEGAN, 0.5, {"process": 0.4, "load": 0.8})
    assert late.phases["queue"] == 0.0


def test_header_in_the_order_of_time() -> None:
    assert WOKEN.server_timing() == (
        "queue;dur=19.1, process;dur=4.1, import;dur=0.0, load;dur=6.0, ready;dur=2.0, "
        "total;dur=31.2"
    )


def test_unknown_phases_come_last() -> None:
    assert (
        "ready;dur=1.0, compile;dur=2.0, total"
        in Activation.measured(BEGAN, 0.01, {"compile": 0.002, "ready": 0.001}).server_timing()
    )


def test_annotation() -> None:
    assert orjson.loads(WOKEN.to_json()) == {
        "time": "2026-11-21T08:30:15.250000Z",
        "totalMs": 31.2,
        "phases": {"queue": 19.1, "process": 4.1, "import": 0.0, "load": 6.0, "ready": 2.0},
    }


def test_annotation_reads_back() -> None:
    read = Activation.from_json(WOKEN.to_json())
    assert read.began == BEGAN
    assert read.server_timing() == WOKEN.server_timing()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"time": 3}', '{"time":"x","totalMs":1}'])
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(InvalidError, match="no record of a cold start"):
        Activation.from_json(text)
