"""Window averages against tables worked out by hand, and a slow dictionary of buckets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.autoscaler import Algorithm, LinearWindow, WeightedWindow, make_window
from rouse.errors import InvalidError

Records = list[tuple[float, float]]

# (what it shows, window, granularity, records, query, average)
LINEAR: list[tuple[str, float, float, Records, float, float]] = [
    ("nothing recorded", 60, 1, [], 0, 0.0),
    ("one bucket counts whole", 60, 1, [(0, 3.0)], 0, 3.0),
    ("values of one bucket add up", 60, 1, [(0.2, 3.0), (0.9, 4.0)], 0.95, 7.0),
    ("a young window divides by its buckets", 60, 1, [(0, 3), (1, 4)], 1, 3.5),
    ("skipped buckets count as zero", 60, 1, [(0, 3), (3, 5)], 3, 2.0),
    ("empty buckets after the latest are not counted", 60, 1, [(0, 3), (1, 5)], 5, 4.0),
    ("an old window divides by what is left", 4, 1, [(0, 4), (1, 8), (2, 4), (3, 2)], 5, 3.0),
    ("the oldest falls out", 3, 1, [(0, 90), (1, 3), (2, 6), (3, 9)], 3, 6.0),
    ("one second before the end of the window", 60, 1, [(0, 7)], 59.9, 7.0),
    ("at exactly the window nothing is left", 60, 1, [(0, 7)], 60, 0.0),
    ("a record a whole window later starts anew", 5, 1, [(0, 100), (5, 2)], 5, 2.0),
    ("a record just inside the window does not", 5, 1, [(0, 100), (4, 10)], 4, 22.0),
    ("a late record moves the first bucket back", 60, 1, [(5, 6), (3, 3)], 5, 3.0),
    ("a late record inside the lived window", 60, 1, [(0, 1), (4, 4), (2, 5)], 4, 2.0),
    ("a late record a whole window old is ignored", 5, 1, [(9, 6), (4, 100)], 9, 6.0),
    ("a late record just inside counts", 5, 1, [(9, 6), (5, 4)], 9, 2.0),
    ("two-second buckets", 60, 2, [(0, 2), (1, 4), (2, 6)], 3, 6.0),
    ("an odd window over two-second buckets", 5, 2, [(0, 3), (2, 6), (4, 9)], 4, 6.0),
    ("a gap of the last bucket, not yet a window", 5, 2, [(0, 3), (4, 9)], 8, 9.0),
    ("a gap of more than the odd window", 5, 2, [(0, 3), (4, 9)], 10, 0.0),
    ("rounded to six decimals", 60, 1, [(0, 1), (1, 0), (2, 0)], 2, 0.333333),
    ("rounded upwards too", 60, 1, [(0, 2), (1, 0), (2, 0)], 2, 0.666667),
    ("halves away from zero", 60, 1, [(0, 0.000001), (1, 0)], 1, 0.000001),
    ("a query in the past sees the latest", 60, 1, [(0, 2), (5, 4)], 3, 1.0),
]


@pytest.mark.parametrize(
    ("window_s", "granularity_s", "records", "query", "average"),
    [row[1:] for row in LINEAR],
    ids=[row[0] for row in LINEAR],
)
def test_linear_average(
    window_s: float, granularity_s: float, records: Records, query: float, average: float
) -> None:
    window = LinearWindow(window_s, granularity_s)
    for at, value in records:
        window.record(at, value)
    assert window.average(query) == average


def test_the_gap_at_exactly_the_window_is_still_data() -> None:
    window = LinearWindow(60, 1)
    assert not window.has_data(0)
    window.record(0, 5)
    assert window.has_data(60)
    assert window.average(60) == 0.0
    assert not window.has_data(61)


def test_weighted_with_the_least_coefficient() -> None:
    # n = 60: 1 - 0.0001^(1/60) = 0.1423 is less than 0.2, so k = 0.2.
    window = WeightedWindow(60, 1)
    window.record(0, 10)
    assert window.average(0) == pytest.approx(2.0, rel=1e-9)
    assert window.average(2) == pytest.approx(10 * 0.2 * 0.8**2, rel=1e-9)
    window.record(1, 5)
    assert window.average(1) == pytest.approx(5 * 0.2 + 10 * 0.2 * 0.8, rel=1e-9)


def test_weighted_with_a_coefficient_of_its_own() -> None:
    window = WeightedWindow(6, 1)
    k = 1 - 0.0001 ** (1 / 6)
    window.record(0, 4)
    window.record(3, 8)
    assert window.average(4) == pytest.approx(8 * k * (1 - k) + 4 * k * (1 - k) ** 4, rel=1e-9)


def test_weighted_is_empty_beyond_its_window() -> None:
    window = WeightedWindow(6, 1)
    assert window.average(0) == 0.0
    window.record(0, 4)
    assert window.average(5) > 0.0
    assert window.average(6) == 0.0
    assert window.average(7) == 0.0


def test_weighted_forgets_what_left_the_window() -> None:
    window = WeightedWindow(3, 1)
    k = 1 - 0.0001 ** (1 / 3)
    for at, value in [(0, 100.0), (1, 1.0), (2, 2.0), (3, 3.0)]:
        window.record(at, value)
    wanted = 3 * k + 2 * k * (1 - k) + 1 * k * (1 - k) ** 2
    assert window.average(3) == pytest.approx(wanted, rel=1e-9)


def test_a_window_needs_a_length() -> None:
    with pytest.raises(InvalidError, match="must be positive"):
        LinearWindow(0, 1)
    with pytest.raises(InvalidError, match="must be positive"):
        LinearWindow(60, 0)


def test_make_window() -> None:
    assert isinstance(make_window(Algorithm.LINEAR, 60), LinearWindow)
    assert isinstance(make_window(Algorithm.WEIGHTED, 60), WeightedWindow)


class _Ledger:
    """The same rules over a dictionary that never forgets by position."""

    def __init__(self, window: int, granularity: int) -> None:
        self.window, self.granularity = window, granularity
        self.count = math.ceil(window / granularity)
        self.values: dict[int, float] = {}
        self.first = self.latest = 0

    def record(self, at: int, value: float) -> None:
        bucket = at // self.granularity
        if not self.values or (bucket - self.latest) * self.granularity >= self.window:
            self.values, self.first, self.latest = {}, bucket, bucket
        elif bucket * self.granularity + self.window <= self.latest * self.granularity:
            return
        self.latest = max(self.latest, bucket)
        self.first = min(self.first, bucket)
        self.values[bucket] = self.values.get(bucket, 0.0) + value

    def linear(self, at: int) -> float:
        now = max(at // self.granularity, self.latest)
        if not self.values or (now - self.latest) * self.granularity >= self.window:
            return 0.0
        total = sum(v for b, v in self.values.items() if now - self.count < b)
        return total / min(self.latest - self.first + 1, self.count - (now - self.latest))

    def weighted(self, at: int) -> float:
        now = max(at // self.granularity, self.latest)
        k = max(1 - 0.0001 ** (1 / self.count), 0.2)
        kept = {b: v for b, v in self.values.items() if now - self.count < b}
        return math.fsum(v * k * math.pow(1 - k, now - b) for b, v in kept.items())


@given(
    window=st.integers(1, 20),
    granularity=st.sampled_from([1, 2]),
    steps=st.lists(st.tuples(st.integers(-12, 12), st.floats(0, 1000)), max_size=60),
    wait=st.integers(0, 25),
)
def test_windows_agree_with_a_plain_ledger(
    window: int, granularity: int, steps: list[tuple[int, float]], wait: int
) -> None:
    ledger = _Ledger(window, granularity)
    linear, weighted = LinearWindow(window, granularity), WeightedWindow(window, granularity)
    now = 100
    for step, value in steps:
        now += step
        ledger.record(now, value)
        linear.record(now, value)
        weighted.record(now, value)
        assert linear.average(now) == pytest.approx(ledger.linear(now), abs=1.1e-6)
        assert weighted.average(now) == pytest.approx(ledger.weighted(now), rel=1e-9, abs=1e-12)
    later = now + wait
    assert linear.average(later) == pytest.approx(ledger.linear(later), abs=1.1e-6)
    assert weighted.average(later) == pytest.approx(ledger.weighted(later), rel=1e-9, abs=1e-12)
