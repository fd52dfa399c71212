"""status.coldStart and its budget: a bounded history that is merged, never counted twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from rouse.api.inferenceservice.status import ColdStart
from rouse.coldstart.activation import Activation
from rouse.compiler.coldstart import (
    KEPT,
    LAST_COLD_START,
    budget_findings,
    make_cold_starts,
    make_starts,
    new_cold_starts,
)

BUDGET = "rouse.dev/coldstart-budget"


def record(second: int, total: float, **others: Any) -> dict[str, Any]:
    time = f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z"
    return {"time": time, "revision": "r1", "totalMs": total, **others}


def revision(note: dict[str, Any] | str) -> dict[str, Any]:
    text = note if isinstance(note, str) else orjson.dumps(note).decode()
    return {"status": {"annotations": {LAST_COLD_START: text}}}


def woken(*records: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    made = make_cold_starts({}, records, before)
    assert made is not None
    return made


def test_the_newest_of_the_revisions_is_the_last() -> None:
    revisions = {
        "r1": revision(record(5, 5, phases={"load": 5})),
        "r2": revision(record(9, 9)),
        "r3": revision("not JSON"),
        "r4": revision("[1]"),
        "r5": {},
    }
    made = make_cold_starts(revisions, (), None)
    assert made is not None
    assert made["last"] == {"time": "2026-01-01T00:00:09Z", "revision": "r2", "totalMs": 9}
    assert (made["count"], made["since"]) == (2, "2026-01-01T00:00:05Z")
    assert make_cold_starts({}, (), None) is None


def test_the_kind_has_all_of_a_record() -> None:
    """What it lacks an API server drops from the status without a word."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    told = Activation(began, 1.0, {"load": 1.0}, "p", "a" * 32, unknown=("queue",)).to_record()
    names = {field.alias for field in ColdStart.model_fields.values()}
    assert names == {*told, "revision"}


def test_what_is_known_changes_nothing() -> None:
    note = record(1, 30, phases={"queue": 10, "load": 20})
    once = make_cold_starts({"r1": revision(note)}, (), None)
    assert make_cold_starts({"r1": revision(note)}, (), once) == once
    assert make_cold_starts({}, (), once) == once


def test_a_status_of_an_older_controller_is_gone_on_with() -> None:
    made = woken(record(7, 10), before={"last": record(3, 20)})
    assert (made["count"], made["since"]) == (2, "2026-01-01T00:00:03Z")
    assert [one["totalMs"] for one in made["recent"]] == [20, 10]


def test_the_history_is_bounded_and_the_count_is_not() -> None:
    made = woken(*(record(n, n) for n in range(1, 101)))
    assert len(made["recent"]) == KEPT
    assert made["count"] == 100
    assert made["last"]["totalMs"] == 100
    later = woken(record(200, 1000), before=made)
    assert (len(later["recent"]), later["count"]) == (KEPT, 101)
    assert later["since"] == made["since"]


def test_what_fell_out_of_the_history_does_not_come_back() -> None:
    full = woken(*(record(n, n) for n in range(10, 10 + KEPT)))
    assert make_cold_starts({"old": revision(record(2, 2))}, (), full) == full


def test_quantiles_are_measured_values() -> None:
    made = woken(*(record(n, n) for n in range(1, 21)))
    assert (made["p50Ms"], made["p95Ms"]) == (10, 19)
    one = woken(record(1, 42))
    assert (one["p50Ms"], one["p95Ms"]) == (42, 42)


def test_the_dominant_phase_is_of_all_of_them() -> None:
    made = woken(
        record(1, 30, phases={"load": 20, "queue": 10}),
        record(2, 50, phases={"load": 5, "queue": 45}),
    )
    assert made["dominantPhase"] == "queue"
    assert "dominantPhase" not in woken(record(1, 30))


def test_an_exact_note_takes_the_place_of_what_was_gathered() -> None:
    rough = woken(record(1, 2000, pod="p"))
    exact = record(1, 1834.5, pod="p", traceId="a" * 32)
    made = make_cold_starts({"r1": revision(exact)}, [record(1, 2000, pod="p")], rough)
    assert made is not None
    assert (made["count"], made["recent"]) == (1, [exact])


def test_starts_that_nobody_waited_for_are_told_apart() -> None:
    starts = [record(n, 5, pod=f"p{n}", cause="scale-up") for n in range(10)]
    wake = record(20, 7, pod="w")
    assert woken(wake, *starts)["count"] == 1
    assert make_cold_starts({}, starts, None) is None
    kept = make_starts([wake, *starts], ())
    assert [one["pod"] for one in kept] == [f"p{n}" for n in range(2, 10)]
    assert make_starts(starts[9:], kept) == kept


def test_what_is_new_is_told_once() -> None:
    before = woken(record(1, 10, pod="a"))
    after = woken(record(2, 20, pod="b"), before=before)
    assert [one["pod"] for one in new_cold_starts(before, after)] == ["b"]
    assert new_cold_starts(after, after) == []
    assert new_cold_starts(None, None) == []


@pytest.mark.parametrize(
    ("budget", "status", "reason"),
    [("500ms", "False", "OverBudget"), ("2s", "True", "WithinBudget")],
)
def test_the_budget(budget: str, status: str, reason: str) -> None:
    made = woken(record(1, 1234, phases={"import": 1000, "queue": 234}))
    (found,) = budget_findings({BUDGET: budget}, made)
    assert (found.type, found.status, found.reason) == ("ColdStartWithinBudget", status, reason)
    assert found.message == (
        f"p95 of the last 1 cold starts is 1.23 s, the budget {budget}; "
        "import takes most of it, 1 s on average"
    )


def test_a_budget_before_the_first_cold_start_and_none_at_all() -> None:
    (found,) = budget_findings({BUDGET: "2s"}, None)
    assert (found.status, found.reason) == ("Unknown", "NoColdStarts")
    assert budget_findings({}, woken(record(1, 5))) == []
    assert budget_findings({BUDGET: "soon"}, None) == []
