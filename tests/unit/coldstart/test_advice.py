"""What to do about a phase that dominates, and how much it would save."""

from __future__ import annotations

import pytest

from rouse.coldstart.activation import PHASES
from rouse.coldstart.advice import advise


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        ("pull", "image"),
        ("fetch", "LocalModelCache"),
        ("import", "rouse.dev/twin"),
        ("node", "balloon pods"),
        ("schedule", "requests"),
        ("load", "safetensors"),
        ("process", "standby"),
        ("container", "minReplicas"),
        ("warmup", "warm-up"),
        ("queue", "CPU"),
        ("ready", "readinessProbe"),
        ("answer", "warm-up"),
    ],
)
def test_the_phase_that_dominates_is_named_first(phase: str, word: str) -> None:
    first, *_ = advise(dict.fromkeys(PHASES, 0.01) | {phase: 2.0})
    assert phase in first.phases
    assert word in first.action
    assert first.saves_s >= 2.0
    assert first.share > 0.9


def test_every_phase_has_advice() -> None:
    assert {name for name in PHASES if advise({name: 1.0})} == set(PHASES)


def test_what_is_not_worth_it_is_not_said() -> None:
    assert advise({}) == []
    assert advise({"load": 0.002}) == []
    assert [one.phases for one in advise({"load": 0.95, "ready": 0.05})] == [("load",)]
    # The probe's own milliseconds: a period is at least a second, so none shorter takes them away.
    assert advise({"process": 0.002, "ready": 0.02}) == []
