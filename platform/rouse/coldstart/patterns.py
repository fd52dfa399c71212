"""Requests that come back: the period of a service's spells, by autocorrelation.

The series is one bin per minute, set where a spell began, over days; it is sparse, so its
autocorrelation at a lag is the number of pairs of begins that far apart. A lag counts as a period
if most begins are followed by another one that much later, and clearly more than would be by
chance.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

__all__ = ["Rhythm", "Window", "find_rhythm", "next_windows"]

_MINUTE: Final = 60.0
LEAST_PERIOD_S: Final = 900.0
"""Shorter ones are bridged, not slept through."""
_LEAST_PAIRS: Final = 3
_MOST_BEGINS: Final = 256
_CANDIDATES: Final = 24
_COARSE: Final = 5
"""Minutes of the bins in which lags are gathered before they are looked at closely."""
_LEAST_SUPPORT: Final = 0.75
_ABOVE_CHANCE: Final = 0.5
_AS_GOOD: Final = 0.1
"""Multiples of a period are supported as well as it: of those as good as the best, the shortest."""
_RECENT: Final = 4
"""Periods that a phase is looked for in: what stopped coming is not waited for."""
_LEAST_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when something is to be expected, in seconds since the epoch."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A period and how close to it begins are, in seconds; ``support`` is the share that are."""

    period_s: float
    tolerance_s: float
    support: float


def find_rhythm(begins: Sequence[float], now: float) -> Rhythm | None:
    """Return the period of begins (seconds since the epoch, in order); None without a clear one."""
    minutes = sorted({int(begin // _MINUTE) for begin in begins})[-_MOST_BEGINS:]
    if len(minutes) <= _LEAST_PAIRS:
        return None
    if (minutes[-1] - minutes[0]) * _MINUTE < LEAST_PERIOD_S * (len(minutes) - 1):
        # So busy that it hardly sleeps: there is nothing to wake.
        return None
    judged = [
        rhythm
        for lag in _likely_lags(minutes)
        if (rhythm := _judge(minutes, lag, int(now // _MINUTE))) is not None
    ]
    if not judged:
        return None
    best = max(rhythm.support for rhythm in judged)
    good = (rhythm for rhythm in judged if rhythm.support >= best - _AS_GOOD)
    return min(good, key=lambda rhythm: rhythm.period_s)


def next_windows(rhythm: Rhythm, begins: Sequence[float], now: float) -> list[Window]:
    """Return when spells are to be expected within the period to come, in order.

    A window that has begun and not ended is among them. What came in most of the last periods comes
    again, as long after its last time as the period, give or take how it was spread.
    """
    period = rhythm.period_s
    found = []
    for times in _phases(rhythm, begins, now):
        expected = times[-1] + period
        while expected + rhythm.tolerance_s <= now:
            expected += period
        # The last time may have been early: the middle of all of them is what to expect.
        offsets = [(time - times[-1] + period / 2) % period - period / 2 for time in times]
        expected += median(offsets)
        spread = max(_MINUTE, *(abs(offset - median(offsets)) for offset in offsets))
        window = Window(expected - spread, expected + spread)
        if window.end > now:
            found.append(window)
    return sorted(found, key=lambda window: window.begin)


def _likely_lags(minutes: Sequence[int]) -> Iterator[int]:
    """Yield the lags at which the autocorrelation is highest, in minutes."""
    gathered: defaultdict[int, list[int]] = defaultdict(list)
    longest = (minutes[-1] - minutes[0]) // (_LEAST_PAIRS - 1)
    least = int(LEAST_PERIOD_S // _MINUTE)
    for place, later in enumerate(minutes):
        for earlier in reversed(minutes[:place]):
            lag = later - earlier
            if lag > longest:
                break
            if lag >= least:
                gathered[lag // _COARSE].append(lag)
    around = {
        coarse: [lag for near in (-1, 0, 1) for lag in gathered.get(coarse + near, ())]
        for coarse in gathered
    }
    likely = sorted(around, key=lambda coarse: (-len(around[coarse]), coarse))
    for coarse in likely[:_CANDIDATES]:
        if len(around[coarse]) >= _LEAST_PAIRS:
            yield round(median(around[coarse]))


def _judge(minutes: Sequence[int], lag: int, now: int) -> Rhythm | None:
    tolerance = max(2, min(15, lag // 60))
    due = [minute for minute in minutes if minute + lag + tolerance <= now]
    followed = [minute for minute in due if _has_near(minutes, minute + lag, tolerance)]
    if len(followed) < _LEAST_PAIRS:
        return None
    support = len(followed) / len(due)
    density = len(minutes) / max(1, minutes[-1] - minutes[0])
    chance = 1 - (1 - min(1.0, density)) ** (2 * tolerance + 1)
    if support < _LEAST_SUPPORT or support - chance < _ABOVE_CHANCE:
        return None
    return Rhythm(lag * _MINUTE, tolerance * _MINUTE, support)


def _has_near(minutes: Sequence[int], at: int, tolerance: int) -> bool:
    place = bisect_left(minutes, at - tolerance)
    return place < len(minutes) and minutes[place] <= at + tolerance


def _phases(rhythm: Rhythm, begins: Sequence[float], now: float) -> Iterator[list[float]]:
    """Yield, for each time of the period at which something comes, when it came of late."""
    period, tolerance = rhythm.period_s, rhythm.tolerance_s
    recent = [begin for begin in begins if begin > now - _RECENT * period - tolerance]
    seen = int(min(_RECENT, (now - begins[0] + tolerance) // period)) if begins else 0
    left = sorted(recent, reverse=True)
    while left:
        newest = left[0]
        mine = [one for one in left if _apart(newest - one, period) <= tolerance]
        left = [one for one in left if one not in mine]
        periods = {round((newest - one) / period) for one in mine}
        if seen and len(periods) >= max(2, _LEAST_SHARE * seen):
            yield sorted(mine)


def _apart(seconds: float, period: float) -> float:
    """How far two times are from being whole periods apart."""
    over = seconds % period
    return min(over, period - over)
