"""The status of a service, read for people."""

from __future__ import annotations

from typing import Any

from rouse.coldstart.ledger import ServiceLedger, costliest


def service(name: str = "iris", **told: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n"}, "status": {"coldStart": told}}


def record(total: float, **phases: float) -> dict[str, Any]:
    time = "2026-11-21T08:30:15Z"
    return {"time": time, "revision": "r", "totalMs": total, "phases": phases}


def ledger(name: str, count: int, p50: float) -> ServiceLedger:
    made = ServiceLedger.of(
        service(name, recent=[record(p50)], p50Ms=p50, p95Ms=p50, count=count, since="2026-11-21")
    )
    assert made is not None
    return made


def test_the_typical_wake_up_has_the_median_of_each_phase() -> None:
    records = [record(30, load=20, queue=10), record(50, queue=50), record(25, load=21, queue=4)]
    made = ServiceLedger.of(service(recent=records, p50Ms=30, p95Ms=50, count=9))
    assert made is not None
    assert made.typical() == {"queue": 0.01, "load": 0.02}
    assert list(made.typical()) == ["queue", "load"]
    assert made.last.total_s == 0.025
    assert made.waited_s == 9 * 0.03


def test_what_is_no_record_is_left_aside() -> None:
    assert ServiceLedger.of({"metadata": {"name": "new"}}) is None
    assert ServiceLedger.of(service(recent=[{"time": "yesterday"}])) is None


def test_many_short_waits_may_cost_more_than_a_long_one() -> None:
    often, seldom = ledger("often", 1000, 40), ledger("seldom", 1, 20_000)
    assert costliest([seldom, often]) == [often, seldom]
