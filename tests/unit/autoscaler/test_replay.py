"""Replays: windows, decisions, and whole workloads with a virtual clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.autoscaler import AutoscalerConfig, AutoscalerSpec, resolve_spec
from rouse.autoscaler.replay import (
    MetricsTrace,
    Request,
    Row,
    WindowTrace,
    Workload,
    replay_metrics,
    replay_windows,
    simulate,
)
from rouse.errors import InvalidError
from rouse.traces import read_lines


def spec(concurrency: int = 0, **annotations: str) -> AutoscalerSpec:
    given = {
        f"autoscaling.knative.dev/{name.replace('_', '-')}": value
        for name, value in annotations.items()
    }
    return resolve_spec(given, AutoscalerConfig(), concurrency)


def requests(*pairs: tuple[float, float]) -> list[Request]:
    return [Request(arrival=arrival, service_time=service) for arrival, service in pairs]


def test_a_record_at_a_querys_time_counts_and_queries_may_come_in_any_order() -> None:
    trace = WindowTrace(window_s=6, records=[(0, 1), (1, 2)], queries=[1, 0, 7])
    assert replay_windows(trace) == [1.5, 1.0, 0.0]


def test_a_late_record_counts_from_its_arrival_on() -> None:
    trace = WindowTrace(window_s=10, records=[(5, 4), (2, 8), (6, 0)], queries=[5, 6])
    assert replay_windows(trace) == [3.0, 2.4]


def test_decisions_of_a_trace_with_a_gap() -> None:
    line = (
        '{"config": {"total_value": 1, "target_value": 0.7, "initial_ready": 3},'
        ' "ticks": [[0, 1.2, 3, 3], [2, null, null, 3], [4, 0, 0, 3]]}'
    )
    (trace,) = read_lines([line, "\n"], MetricsTrace, "trace.jsonl")
    decided = [(one.desired, one.valid, one.in_panic) for one in replay_metrics(trace)]
    assert decided == [(5, True, True), (0, False, None), (5, True, True)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Invalid JSON"),
        ('{"config": {"total_value": 1}, "ticks": []}', "config.target_value: Field required"),
        (
            '{"config": {"total_value": 1, "target_value": 0}, "ticks": []}',
            "config.target_value: Input should be greater than 0",
        ),
        (
            '{"config": {"total_value": 1, "target_value": 1}, "ticks": [[0, 1, 1, -1]]}',
            "ticks.0.3: Input should be greater than or equal to 0",
        ),
        (
            '{"config": {"total_value": 1, "target_value": 1, "rate": 2}, "ticks": []}',
            "config.rate: Extra inputs are not permitted",
        ),
    ],
)
def test_a_wrong_line_is_named_with_its_field(line: str, said: str) -> None:
    with pytest.raises(InvalidError, match=r"trace\.jsonl, line 2") as caught:
        list(read_lines(["", line], MetricsTrace, "trace.jsonl"))
    assert said in str(caught.value)


def test_a_service_falls_asleep_and_a_request_wakes_it() -> None:
    slow_start = Workload(requests((0.5, 0.2), (100.0, 2.0)), spec(window="10s"), start_s=3.0)
    rows = list(simulate(slow_start))
    assert [row.replicas for row in rows if 44 <= row.t <= 98] == [0] * 28
    assert at(rows, 102).queued == 1
    assert at(rows, 104).waited_s == pytest.approx(3.0)
    assert rows[-1].replicas == 0


def test_a_burst_panics_and_the_container_limit_holds() -> None:
    burst = requests(*((60.0 + index / 100, 1.0) for index in range(40)))
    rows = list(simulate(Workload(burst, spec(concurrency=1, window="20s"), 1)))
    assert any(row.decision.in_panic for row in rows)
    assert all(row.in_flight <= row.ready for row in rows if row.activity.value == "active")
    assert max(row.replicas for row in rows) > 5


def test_requests_per_second_count_arrivals() -> None:
    steady = requests(*((index / 50, 0.001) for index in range(60 * 50)))
    rows = list(simulate(Workload(steady, spec(metric="rps", target="10"))))
    assert at(rows, 60).stable == pytest.approx(50, rel=0.05)
    assert at(rows, 60).replicas == 8


@given(
    st.lists(
        st.tuples(st.floats(0, 60, allow_nan=False), st.floats(0, 20, allow_nan=False)),
        max_size=30,
    ),
    st.integers(0, 3),
    st.integers(0, 2),
)
def test_every_request_is_answered_and_the_end_is_the_minimum(
    pairs: list[tuple[float, float]], concurrency: int, least: int
) -> None:
    settings = spec(concurrency, window="6s", min_scale=str(least))
    rows = list(simulate(Workload(requests(*pairs), settings, concurrency, start_s=1.5)))
    last = rows[-1]
    assert (last.in_flight, last.queued, last.replicas) == (0, 0, least)


def at(rows: list[Row], t: float) -> Row:
    return next(row for row in rows if row.t == t)
