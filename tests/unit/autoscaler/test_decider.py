"""Every step of a decision against tables worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.autoscaler import Decider, DeciderSpec, Decision

SPEC = DeciderSpec(target_value=10.0, total_value=10.0, target_burst_capacity=0)

# (what it shows, changes to SPEC, stable, panic, ready, desired)
ONE_TICK: list[tuple[str, dict[str, float], float, float, int, int]] = [
    ("no load", {}, 0, 0, 1, 0),
    ("exactly one pod's worth", {}, 10, 10, 1, 1),
    ("a little more rounds up", {}, 10.000001, 10, 1, 2),
    ("zero ready pods count as one", {}, 10, 10, 0, 1),
    ("the lower limit holds without load", {}, 0, 0, 8, 4),
    ("the lower limit is rounded down", {}, 0, 0, 7, 3),
    ("one pod may go to zero", {}, 0, 0, 1, 0),
    ("down rate of ten", {"max_scale_down_rate": 10}, 0, 0, 25, 2),
    ("the upper limit", {"max_scale_up_rate": 2}, 95, 10, 3, 6),
    ("the upper limit is rounded up", {"max_scale_up_rate": 1.1}, 30, 20, 2, 3),
    ("panic takes the larger: panic", {}, 10, 50, 1, 5),
    ("panic takes the larger: stable", {}, 70, 20, 1, 7),
    ("below the threshold the panic value is not used", {}, 10, 39, 2, 4),
    ("panic value used at the threshold", {}, 10, 31, 2, 4),
    ("activation scale raises from nothing", {"activation_scale": 4}, 1, 1, 0, 4),
    ("activation scale leaves more as it is", {"activation_scale": 4}, 55, 10, 6, 6),
    ("activation scale does nothing without load", {"activation_scale": 4}, 0, 0, 1, 0),
    ("... even if the lower limit keeps pods", {"activation_scale": 4}, 0, 0, 4, 2),
    (
        "activation scale may exceed the upper limit",
        {"activation_scale": 9, "max_scale_up_rate": 2},
        20,
        0,
        1,
        9,
    ),
    ("an activation scale of one is none", {"activation_scale": 1}, 0.1, 0.1, 1, 1),
]


@pytest.mark.parametrize(
    ("changes", "stable", "panic", "ready", "desired"),
    [row[1:] for row in ONE_TICK],
    ids=[row[0] for row in ONE_TICK],
)
def test_one_tick(
    changes: dict[str, float], stable: float, panic: float, ready: int, desired: int
) -> None:
    spec = replace(SPEC, **changes)  # type: ignore[arg-type]
    decision = Decider(spec).decide(0, stable, panic, ready)
    assert (decision.valid, decision.desired) == (True, desired)


@pytest.mark.parametrize(
    ("panic", "ready", "over"),
    [
        (20, 1, True),  # ceil(2) / 1 = 2: equality counts
        (10, 1, False),
        (11, 1, True),  # ceil(1.1) = 2: the rounded-up value
        (30, 2, False),  # 3 / 2 = 1.5
        (31, 2, True),  # ceil(3.1) = 4, 4 / 2 = 2
        (0, 1, False),
        (20, 0, True),  # no ready pod counts as one
    ],
)
def test_what_is_over_the_panic_threshold(panic: float, ready: int, over: bool) -> None:
    assert Decider(SPEC).decide(0, 0, panic, ready).in_panic is over


def test_over_uses_the_unlimited_panic_value() -> None:
    spec = replace(SPEC, max_scale_up_rate=1.5)
    assert Decider(spec).decide(0, 0, 100, 4) == Decision(6, 0, valid=True, in_panic=True)


def test_panic_never_scales_down() -> None:
    decider = Decider(SPEC)
    assert decider.decide(0, 10, 80, 1).desired == 8
    assert decider.decide(2, 10, 30, 8).desired == 8
    assert decider.decide(4, 95, 30, 8).desired == 10
    assert decider.decide(6, 0, 0, 10).desired == 10


def test_panic_ends_strictly_after_the_stable_window() -> None:
    decider = Decider(replace(SPEC, stable_window_s=6))
    assert decider.decide(2, 10, 20, 1) == Decision(2, 0, valid=True, in_panic=True)
    assert decider.decide(8, 0, 0, 2) == Decision(2, 0, valid=True, in_panic=True)
    assert decider.decide(10, 0, 0, 2) == Decision(1, 0, valid=True, in_panic=False)


def test_the_end_of_panic_is_exact_for_fractions_too() -> None:
    # 0.1 + 6 is no number of binary fractions: compared as nanoseconds it is 6.1.
    decider = Decider(replace(SPEC, stable_window_s=6))
    decider.decide(0.1, 10, 20, 1)
    assert decider.decide(6.1, 0, 0, 2).in_panic is True
    assert decider.decide(6.100000001, 0, 0, 2).in_panic is False


def test_panic_is_prolonged_while_over() -> None:
    decider = Decider(replace(SPEC, stable_window_s=6))
    decider.decide(0, 10, 20, 1)
    assert decider.decide(4, 10, 40, 2).desired == 4
    assert decider.decide(10, 0, 0, 4) == Decision(4, 0, valid=True, in_panic=True)
    assert decider.decide(12, 0, 0, 4) == Decision(2, 0, valid=True, in_panic=False)


def test_the_maximum_is_forgotten_when_panic_ends() -> None:
    decider = Decider(replace(SPEC, stable_window_s=6))
    assert decider.decide(0, 10, 90, 1).desired == 9
    assert decider.decide(8, 0, 0, 1) == Decision(0, 0, valid=True, in_panic=False)
    assert decider.decide(10, 10, 20, 1) == Decision(2, 0, valid=True, in_panic=True)


def test_born_in_panic_with_more_than_one_pod() -> None:
    decider = Decider(replace(SPEC, stable_window_s=6), initial_ready=5)
    assert decider.decide(2, 0, 0, 5) == Decision(5, 0, valid=True, in_panic=True)
    assert decider.decide(4, 70, 0, 5) == Decision(7, 0, valid=True, in_panic=True)
    assert decider.decide(6, 0, 0, 5) == Decision(7, 0, valid=True, in_panic=True)
    assert decider.decide(8, 0, 0, 5) == Decision(2, 0, valid=True, in_panic=False)


@pytest.mark.parametrize("initial_ready", [0, 1])
def test_born_stable_with_one_pod_or_none(initial_ready: int) -> None:
    decider = Decider(SPEC, initial_ready=initial_ready)
    assert decider.decide(0, 0, 0, 6) == Decision(3, 0, valid=True, in_panic=False)


NO_DATA = Decision(0, 0, valid=False, in_panic=None)


def test_no_data_changes_nothing() -> None:
    decider = Decider(replace(SPEC, stable_window_s=6))
    decider.decide(0, 10, 50, 1)
    for at in (2, 4, 6, 8, 10):
        assert decider.decide(at, None, None, 5) == NO_DATA
    # Panic ran out in the silence, but this tick is over: prolonged with its old maximum.
    assert decider.decide(12, 10, 20, 1) == Decision(5, 0, valid=True, in_panic=True)


def test_panic_that_ran_out_in_the_silence_ends_at_the_next_tick() -> None:
    decider = Decider(replace(SPEC, stable_window_s=6))
    decider.decide(0, 10, 50, 1)
    assert decider.decide(8, None, None, 5) == NO_DATA
    assert decider.decide(10, 10, 10, 5) == Decision(2, 0, valid=True, in_panic=False)


@pytest.mark.parametrize(
    ("delay", "counts_until"), [(1, 0), (2, 0), (3, 2), (4, 2), (7, 6), (60, 58)]
)
def test_a_peak_counts_for_the_slots_of_the_delay(delay: float, counts_until: int) -> None:
    decider = Decider(replace(SPEC, scale_down_delay_s=delay))
    assert decider.decide(0, 15, 0, 2).desired == 2
    kept = [at for at in range(2, 80, 2) if decider.decide(at, 0, 0, 1).desired == 2]
    assert max(kept, default=0) == counts_until
    assert decider.decide(80, 0, 0, 1).desired == 0


def test_the_delay_records_what_panic_decided() -> None:
    decider = Decider(replace(SPEC, scale_down_delay_s=20, stable_window_s=6))
    assert decider.decide(0, 10, 60, 1).desired == 6
    assert decider.decide(6, 0, 0, 1) == Decision(6, 0, valid=True, in_panic=True)
    assert decider.decide(8, 0, 0, 1) == Decision(6, 0, valid=True, in_panic=False)
    # The tick at 6 was in panic: its 6 is what was recorded, and counts until 24.
    assert decider.decide(24, 0, 0, 1).desired == 6
    assert decider.decide(26, 0, 0, 1).desired == 0


def test_the_delay_does_not_feed_back_into_panic() -> None:
    decider = Decider(replace(SPEC, scale_down_delay_s=4, stable_window_s=60))
    assert decider.decide(0, 55, 0, 4).desired == 6
    assert decider.decide(2, 10, 30, 1) == Decision(6, 0, valid=True, in_panic=True)
    assert decider.decide(4, 10, 30, 1) == Decision(3, 0, valid=True, in_panic=True)


def test_silence_ages_the_slots_of_the_delay() -> None:
    decider = Decider(replace(SPEC, scale_down_delay_s=6))
    assert decider.decide(0, 15, 0, 2).desired == 2
    assert decider.decide(2, None, None, 2) == NO_DATA
    assert decider.decide(4, 0, 0, 1).desired == 2
    assert decider.decide(6, 0, 0, 1).desired == 0


@pytest.mark.parametrize(
    ("burst", "panic", "ready", "excess"),
    [
        (0, 500, 0, 0),
        (-1, 0, 50, -1),
        (20, 5, 3, 5),
        (20, 5.5, 3, 4),  # 4.5 to minus infinity
        (20, 0.5, 2, -1),  # -0.5 to minus infinity
        (20, 0, 0, -20),  # no ready pod is no capacity
        (211, 0, 1, -201),
    ],
)
def test_excess_burst_capacity(burst: float, panic: float, ready: int, excess: int) -> None:
    spec = replace(SPEC, target_burst_capacity=burst)
    assert Decider(spec).decide(0, 0, panic, ready).excess_burst_capacity == excess


def test_a_new_spec_keeps_the_panic() -> None:
    decider = Decider(SPEC)
    decider.decide(0, 10, 50, 1)
    decider.spec = replace(SPEC, target_value=5.0, scale_down_delay_s=10)
    assert decider.spec.target_value == 5.0
    assert decider.decide(2, 10, 10, 5) == Decision(5, 0, valid=True, in_panic=True)


Ticks = st.lists(
    st.tuples(st.floats(0, 500), st.floats(0, 500), st.integers(0, 30), st.booleans()),
    min_size=1,
    max_size=80,
)


@given(
    ticks=Ticks,
    initial_ready=st.integers(0, 10),
    delay=st.integers(0, 20),
    window=st.integers(6, 30),
)
def test_invariants(
    ticks: list[tuple[float, float, int, bool]], initial_ready: int, delay: int, window: int
) -> None:
    spec = replace(SPEC, stable_window_s=window, scale_down_delay_s=delay)
    decider = Decider(spec, initial_ready=initial_ready)
    undelayed = Decider(replace(spec, scale_down_delay_s=0), initial_ready=initial_ready)
    previous = Decision(0, 0, valid=True, in_panic=False)
    for index, (stable, panic, ready, silent) in enumerate(ticks):
        seen = (None, None, ready) if silent else (stable, panic, ready)
        decision = decider.decide(2 * index, *seen)
        plain = undelayed.decide(2 * index, *seen)
        assert decision.in_panic == plain.in_panic
        if silent:
            assert decision == NO_DATA
            continue
        assert decision.desired >= plain.desired
        assert plain.desired >= max(1, ready) // 2
        if plain.in_panic and previous.in_panic:
            assert plain.desired >= previous.desired
        previous = plain
