"""Histories of spells, their periods, and what is foreseen; with a clock of the test's own."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.coldstart.history import KEPT, History
from rouse.coldstart.patterns import find_rhythm, next_windows
from rouse.coldstart.prediction import Foreseen, Foresight
from rouse.coldstart.prediction import foresee as foresee_with
from rouse.coldstart.simulation import Fixed, Learned, simulate

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
T0 = 20_000 * DAY  # a Monday, as it happens not to matter


def spells(begins: list[float], lasting: float = 120.0) -> History:
    return History((begin, begin + lasting) for begin in begins)


def foresee(history: History, now: float, **given: float) -> Foresight:
    return foresee_with(history, find_rhythm(history.begins, now), now, **given)


# Patterns


@pytest.mark.parametrize("period_s", [1200.0, HOUR, 6 * HOUR, DAY])
@pytest.mark.parametrize("jitter_s", [0.0, 50.0])
def test_what_comes_at_regular_times_has_its_period(period_s: float, jitter_s: float) -> None:
    rng = random.Random(int(period_s + jitter_s))
    begins = [T0 + n * period_s + rng.uniform(-jitter_s, jitter_s) for n in range(12)]
    now = begins[-1] + period_s / 2
    rhythm = find_rhythm(begins, now)
    assert rhythm is not None
    assert rhythm.period_s == pytest.approx(period_s, abs=120)
    (window,) = next_windows(rhythm, begins, now)
    assert window.begin <= T0 + 12 * period_s <= window.end
    assert window.end - window.begin < 10 * MINUTE


def test_working_days_are_weeks_not_days() -> None:
    begins = [T0 + day * DAY + 8 * HOUR for day in range(28) if day % 7 < 5]
    friday_evening = T0 + 25 * DAY + 20 * HOUR
    known = [begin for begin in begins if begin < friday_evening]
    rhythm = find_rhythm(known, friday_evening)
    assert rhythm is not None
    assert rhythm.period_s == 7 * DAY
    first = next_windows(rhythm, known, friday_evening)[0]
    assert first.begin <= T0 + 28 * DAY + 8 * HOUR <= first.end


def test_two_times_a_day_are_two_windows() -> None:
    begins = sorted(T0 + day * DAY + at for day in range(8) for at in (8 * HOUR, 13 * HOUR))
    now = T0 + 8 * DAY
    rhythm = find_rhythm(begins, now)
    assert rhythm is not None
    assert rhythm.period_s == DAY
    found = next_windows(rhythm, begins, now)
    assert [round((one.begin - now) / HOUR) for one in found] == [8, 13]


def test_what_stopped_coming_is_not_waited_for() -> None:
    begins = [T0 + hour * HOUR for hour in range(48)]
    now = begins[-1] + 6 * HOUR
    rhythm = find_rhythm(begins, now)
    assert rhythm is None or next_windows(rhythm, begins, now) == []


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mean_s", [20 * MINUTE, 2 * HOUR, 12 * HOUR])
def test_chance_has_no_period(seed: int, mean_s: float) -> None:
    rng, now, begins = random.Random(seed), T0, list[float]()
    for _ in range(100):
        now += MINUTE + rng.expovariate(1 / mean_s)
        begins.append(now)
    assert find_rhythm(begins, now) is None


@given(st.lists(st.floats(T0, T0 + 20 * DAY), max_size=60), st.floats(0, 3 * DAY))
def test_windows_are_in_order_and_not_over(times: list[float], later: float) -> None:
    begins, now = sorted(times), T0 + 20 * DAY + later
    rhythm = find_rhythm(begins, now)
    if rhythm is not None:
        found = next_windows(rhythm, begins, now)
        assert all(one.begin < one.end and one.end > now for one in found)
        assert found == sorted(found, key=lambda one: one.begin)


def test_a_full_history_is_looked_through_at_once() -> None:
    rng = random.Random(3)
    begins = sorted(T0 + rng.uniform(0, 20 * DAY) for _ in range(KEPT))
    began = time.perf_counter()
    find_rhythm(begins, T0 + 20 * DAY)
    assert time.perf_counter() - began < 1.0


# Histories


def test_active_times_are_spells_less_their_stable_window() -> None:
    history = History()
    history.observe(active=True, since=T0)
    history.observe(active=True, since=T0)
    assert history.begins == [T0]
    assert history.last_end is None
    history.observe(active=False, since=T0 + 300)
    assert history.spells == [(T0, T0 + 240)]
    assert history.last_end == T0 + 240


def test_what_nobody_called_is_no_spell() -> None:
    history = History()
    history.observe(active=True, since=T0, foreseen=True)
    assert history.begins == []
    history.observe(active=False, since=T0 + 70)
    assert history.spells == []
    history.observe(active=True, since=T0 + 500, foreseen=True)
    history.observe(active=False, since=T0 + 1000)
    assert history.spells == [(T0 + 500, T0 + 940)]


def test_a_measured_wake_up_counts_once() -> None:
    history = spells([T0])
    history.note(T0 + 10)
    assert len(history.spells) == 1
    history.note(T0 - HOUR)
    assert history.begins == [T0 - HOUR, T0]
    history.observe(active=True, since=T0 + HOUR)
    history.note(T0 + HOUR)
    assert len(history.begins) == 3


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 500)), max_size=300))
def test_a_history_survives_being_written_down(times: list[tuple[int, int]]) -> None:
    history = History((T0 + at * MINUTE, T0 + (at + lasting) * MINUTE) for at, lasting in times)
    again = History.of(history.text())
    assert again.spells == history.spells
    assert len(history.spells) <= KEPT


def test_what_is_not_legible_is_left_out() -> None:
    assert History.of("28800000+3 nonsense 12+ +4 28800100+1").begins == [
        28_800_000 * MINUTE,
        28_800_100 * MINUTE,
    ]


# Both together


def test_a_periodic_service_is_woken_ahead_and_let_go() -> None:
    history = spells([T0 + n * 6 * HOUR for n in range(10)])
    now = T0 + 9 * 6 * HOUR + 2 * HOUR
    seen = foresee(history, now, start_s=20)
    assert seen.keep_s == 60
    assert seen.period_s == 6 * HOUR
    (window,) = seen.windows
    assert window.begin <= T0 + 10 * 6 * HOUR - 50
    assert window.end - window.begin < 300


def test_a_service_that_lies_idle_alike_is_woken_by_its_last_request() -> None:
    rng, at, begins = random.Random(5), T0, list[float]()
    for _ in range(60):
        begins.append(at)
        at += rng.uniform(1.0, 1.15) * 2 * HOUR
    history = spells(begins)
    seen = foresee(history, begins[-1] + 1000)
    if not seen.period_s:
        (window,) = seen.windows
        assert window.begin <= begins[-1] + 2.1 * HOUR <= window.end


def test_little_known_means_a_while_and_no_windows() -> None:
    seen = foresee(History(), T0)
    assert 60 < seen.keep_s < 1200
    assert seen.windows == ()


def test_a_window_that_costs_more_than_it_is_worth_is_left_out() -> None:
    history = spells([T0 + n * 6 * HOUR for n in range(10)])
    now = T0 + 9 * 6 * HOUR + 2 * HOUR
    assert foresee(history, now, price_s=100, start_s=20).windows == ()


def test_simulated_it_beats_the_histogram_on_what_comes_at_regular_times() -> None:
    rare = [(n * 6 * HOUR, n * 6 * HOUR + 120) for n in range(60)]
    until = 60 * 6 * HOUR
    seen, known = (simulate([rare], policy, until) for policy in (Foreseen(850), Learned(850)))
    assert known.cold_starts == 60
    assert seen.cold_starts < 8
    assert seen.idle_s < simulate([rare], Fixed(600), until).idle_s


def test_simulated_it_is_the_histogram_on_what_does_not() -> None:
    rng, at, spells_ = random.Random(1), 0.0, list[tuple[float, float]]()
    for _ in range(200):
        at += 60 + rng.expovariate(1 / (40 * MINUTE))
        spells_.append((at, at))
    seen, known = (simulate([spells_], policy, at) for policy in (Foreseen(850), Learned(850)))
    assert abs(seen.cold_starts - known.cold_starts) <= 10
