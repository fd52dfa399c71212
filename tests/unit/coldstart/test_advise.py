"""Settings that are proposed, from what was measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rouse.coldstart.advise import ACTIVATION_SCALE, MODEL_CACHE, RETENTION, propose
from rouse.coldstart.history import History

T0 = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def service(
    begins: list[float], predictor: dict[str, Any] | None = None, **phases_ms: float
) -> dict[str, Any]:
    phases = phases_ms or {"process": 4000.0}
    recent = [
        {
            "time": datetime.fromtimestamp(begin, UTC).isoformat(),
            "revision": "r",
            "totalMs": sum(phases.values()),
            "phases": phases,
        }
        for begin in begins[-32:]
    ]
    total = sum(phases.values())
    cold = {"p50Ms": total, "p95Ms": total, "count": len(begins), "recent": recent}
    history = History((begin, begin + MINUTE) for begin in begins).text()
    status = {"coldStart": cold | {"since": recent[0]["time"]}, "keepAlive": {"history": history}}
    return {
        "metadata": {"namespace": "default", "name": "iris", "annotations": {}},
        "spec": {"predictor": {"minReplicas": 0, **(predictor or {})}},
        "status": status,
    }


def every(period_s: float, count: int) -> list[float]:
    return [T0 + n * period_s for n in range(count)]


def only(found: dict[str, Any], until_s: float, **given: float) -> dict[str, Any]:
    return {each.setting: each.value for each in propose(found, until_s, **given)}


@pytest.mark.parametrize(
    ("period_s", "count", "wanted"),
    [
        # So often that it may as well stay.
        (4 * MINUTE, 200, "minReplicas"),
        # Regular, and rare: woken ahead.
        (6 * HOUR, 40, "rouse.dev/keep-alive"),
    ],
)
def test_the_way_of_least_cost_is_proposed(period_s: float, count: int, wanted: str) -> None:
    begins = every(period_s, count)
    [proposal] = propose(service(begins), begins[-1] + period_s)
    assert proposal.setting == wanted
    assert proposal.saves_s > 0
    assert "instead of" in proposal.why


def test_bursts_are_kept_through_by_a_retention() -> None:
    # Bursts of six, eight minutes apart, at odd days: what comes next is known within a burst.
    starts = [T0 + DAY * day for day in (0, 1.3, 2.1, 4.7, 5.2, 7.9, 9.4)]
    begins = [start + n * 8 * MINUTE for start in starts for n in range(6)]
    found = only(service(begins), begins[-1] + 2 * DAY)
    assert found.keys() <= {RETENTION, "rouse.dev/keep-alive"}
    assert found


def test_one_that_is_rare_and_irregular_stays_as_it_is() -> None:
    begins = [T0 + DAY * day for day in (0, 1.9, 2.3, 5.8, 6.4, 9.9, 12.1)]
    assert propose(service(begins), begins[-1] + DAY) == []


def test_a_price_decides_how_much_may_be_idle() -> None:
    begins = [T0 + DAY * day for day in (0, 1.9, 2.3, 5.8, 6.4, 9.9, 12.1)]
    assert "minReplicas" in only(service(begins), begins[-1] + DAY, price_s=1e9)


def test_what_is_set_is_not_proposed_again() -> None:
    begins = every(6 * HOUR, 40)
    one = service(begins)
    one["metadata"]["annotations"] = {"rouse.dev/keep-alive": "auto"}
    assert propose(one, begins[-1] + HOUR) == []
    kept = service(begins, {"minReplicas": 1})
    assert propose(kept, begins[-1] + HOUR) == []


def test_a_slow_fetch_wants_a_cache() -> None:
    begins = every(HOUR * 40, 4)
    one = service(begins, fetch=3000.0, load=1000.0)
    [proposal] = propose(one, begins[-1])
    assert (proposal.setting, proposal.value) == (MODEL_CACHE, "demand")
    assert proposal.saves_s == pytest.approx(3.0 * 4 / 5)
    one["metadata"]["annotations"] = {MODEL_CACHE: "off"}
    assert propose(one, begins[-1]) == []


@pytest.mark.parametrize(
    ("predictor", "wanted"),
    [
        ({"containerConcurrency": 2}, {ACTIVATION_SCALE: "2"}),
        ({"containerConcurrency": 2, "maxReplicas": 1}, {"containerConcurrency": 4}),
        ({}, {}),
    ],
)
def test_a_line_before_the_first_replica_wants_more_at_once(
    predictor: dict[str, Any], wanted: dict[str, Any]
) -> None:
    begins = every(HOUR * 40, 4)
    assert only(service(begins, predictor, queue=900.0, load=100.0), begins[-1]) == wanted


def test_in_the_mode_standard_nothing_that_only_knative_follows() -> None:
    begins = every(4 * MINUTE, 200)
    found = service(begins, fetch=3000.0, load=1000.0)
    assert len(only(found, begins[-1] + MINUTE)) == 2
    found["status"]["deploymentMode"] = "Standard"
    assert only(found, begins[-1] + MINUTE) == {MODEL_CACHE: "demand"}


def test_nothing_without_a_measurement() -> None:
    assert propose({"metadata": {"name": "iris"}}, T0) == []
