"""Residency plans of single services, and many services under several policies."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perf.serverless_traffic import DAY_S, synthesize
from rouse.coldstart.idle import BINS, EDGES, LAST_S, IdleHistogram, bin_of
from rouse.coldstart.keepalive import Residency, plan_residency
from rouse.coldstart.simulation import (
    Fixed,
    Learned,
    Outcome,
    merge_spells,
    optimum,
    simulate,
)

PRICE_S = 850.0

idle_times = st.floats(0, 200_000, allow_nan=False)


def history(*idle_s: float) -> IdleHistogram:
    idle = IdleHistogram()
    for seconds in idle_s:
        idle.record(seconds)
    return idle


@given(idle_times)
@example(LAST_S)
@example(math.nextafter(LAST_S, 0.0))
def test_an_idle_time_is_in_the_bin_around_it(seconds: float) -> None:
    place = bin_of(seconds)
    assert 0 <= place <= BINS
    lower = 0.0 if place == 0 else EDGES[place]
    upper = math.inf if place == BINS else EDGES[place + 1]
    assert lower * 0.999999 <= seconds <= upper * 1.000001


def test_a_busy_service_is_kept_and_a_rare_one_is_let_go() -> None:
    rng = random.Random(1)
    busy = history(*[rng.expovariate(1 / 120) for _ in range(100)])
    assert plan_residency(busy, PRICE_S).keep_s > 300
    rare = history(40_000, 61_000, 52_000, 75_000)
    assert plan_residency(rare, PRICE_S) == Residency(60.0)


def test_a_periodic_service_sleeps_and_is_woken_ahead() -> None:
    hourly = history(*[3600 + jitter for jitter in range(-40, 40)])
    residency = plan_residency(hourly, PRICE_S, start_s=5.0)
    assert residency.keep_s == 60.0
    assert residency.wake_s < 3500
    assert residency.until_s > 3640
    assert residency.until_s - residency.wake_s < 1000
    assert residency.covers(3600)
    assert not residency.covers(1800)


def test_a_changed_pattern_takes_over() -> None:
    idle = history(*[3600.0] * 300)
    for _ in range(600):
        idle.record(300.0)
    assert plan_residency(idle, PRICE_S).covers(300)


@given(st.lists(idle_times, max_size=40), st.floats(1, 100_000), idle_times)
def test_a_plan_is_in_order_and_never_wastes_more_than_the_idle_time(
    seen: list[float], price_s: float, idle_s: float
) -> None:
    residency = plan_residency(history(*seen), price_s)
    assert residency.keep_s >= 60.0
    if residency.until_s:
        assert residency.keep_s <= residency.wake_s <= residency.until_s
    assert 0 <= residency.idle(idle_s) <= idle_s
    if residency.idle(idle_s) == idle_s and not residency.until_s:
        assert residency.covers(idle_s)


@given(st.lists(st.floats(0, 50_000, allow_nan=False), max_size=30))
def test_a_higher_price_never_has_more_cold_starts_to_come(seen: list[float]) -> None:
    idle = history(*seen)
    low, high = plan_residency(idle, 100.0), plan_residency(idle, 10_000.0)
    assert high.keep_s >= low.keep_s


def test_spells_join_requests_less_than_a_minute_apart() -> None:
    assert merge_spells([(200, 1), (0, 5), (60, 100), (500, 1)]) == [(0, 201), (500, 501)]
    assert merge_spells([]) == []


def test_a_fixed_keep_alive_counts_cold_starts_and_idle_seconds() -> None:
    spells = [(0.0, 10.0), (100.0, 110.0), (1000.0, 1010.0)]
    outcome = simulate([spells, []], Fixed(300), until_s=1100)
    assert outcome == Outcome(spells=3, cold_starts=2, idle_s=90 + 300 + 90)
    assert outcome.cost(0.5, 10) == 260


def test_the_optimum_bridges_the_shortest_times_first() -> None:
    spells = [(0.0, 10.0), (73.0, 80.0), (1000.0, 1010.0)]
    bound = optimum([spells], idle_s=60 + 60 + 60 + 3, start_s=5)
    assert bound.cold_starts == 2
    assert bound.idle_s == 183
    assert optimum([spells], idle_s=1000, start_s=5).cold_starts == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_history_beats_a_fixed_keep_alive_on_both_sides(seed: int) -> None:
    services = synthesize(600, seed)
    fixed = simulate(services, Fixed(600), DAY_S)
    ours = simulate(services, Learned(PRICE_S), DAY_S)
    assert ours.spells == fixed.spells
    assert ours.cold_starts < 0.8 * fixed.cold_starts
    assert ours.idle_s < 1.05 * fixed.idle_s
    assert optimum(services, ours.idle_s).cold_starts < ours.cold_starts


def test_the_traffic_has_the_published_shape() -> None:
    services = synthesize(4000, 3)
    assert synthesize(50, 3) == services[:50]
    for spells in services:
        assert all(begin - ended >= 59.999 for (_, ended), (begin, _) in pairwise(spells))
    rare = sum(len(spells) <= 24 for spells in services) / len(services)
    assert 0.45 < rare < 0.75
