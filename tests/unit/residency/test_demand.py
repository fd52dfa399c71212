"""What a wake-up costs without a copy, and how often one comes: from status.coldStart."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rouse.coldstart.residency import Demand, benefit_of, demand_of
from rouse.kube.objects import Object

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def service(*recent: Object) -> Object:
    status = {"coldStart": {"p50Ms": 1.0, "p95Ms": 2.0, "recent": list(recent)}} if recent else {}
    return {"metadata": {"name": "iris", "namespace": "default"}, "status": status}


def woken(time: str, **phases: float) -> Object:
    return {"time": time, "totalMs": sum(phases.values()), "phases": phases}


def test_a_new_service_counts_as_one_that_wakes_once_a_day() -> None:
    assert demand_of(service(), NOW) == Demand(1 / 24)


def test_wake_ups_in_the_history_tell_how_often_and_how_long() -> None:
    given = service(
        woken("2026-03-01T12:00:00Z", fetch=90_000, pull=30_000),
        woken("2026-03-02T00:00:00Z", fetch=10, load=100),
        woken("2026-03-02T11:00:00Z", fetch=20, load=100),
    )
    # Those with a copy did not wait, and say nothing of what it saves.
    assert demand_of(given, NOW) == Demand(4 / 48, 90.0, 30.0)


def test_a_clock_behind_the_ledgers_does_no_harm() -> None:
    assert demand_of(service(woken("2026-03-03T12:00:00Z")), NOW).wakes_per_h == 2 / 24


def test_what_was_not_measured_is_told_by_the_size() -> None:
    assert benefit_of(2.0, 30.0, 10**9) == 60.0
    assert benefit_of(2.0, 0.0, 10**9) == pytest.approx(21.0)
