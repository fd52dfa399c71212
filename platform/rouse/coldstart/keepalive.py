"""How long to keep an idle service awake, and when to wake it ahead of its next request.

Keeping a replica for the next moment pays when the chance that the next request falls into it,
times what a cold start is worth, is more than the moment. That chance is the hazard of the
service's own idle times; the price is one for all services, which is what makes the sum of cold
starts least for the idle time that is spent (the Lagrangian of that problem). Shahrad et al.,
"Serverless in the Wild" (USENIX ATC 2020), keep and pre-warm by percentiles of such a histogram; a
price instead leaves a service alone whose requests nobody can foresee.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rouse.coldstart.idle import EDGES, FIRST_S, IdleHistogram

__all__ = ["Residency", "plan_residency"]

_POISSON_WEIGHT: Final = 3.0
"""Observations that "requests come at random, at the mean rate seen" counts for."""

_RATE_SHAPE: Final = 1.5
_RATE_SECONDS: Final = 600.0
"""What is believed of a rate before anything is seen: a gamma distribution, which makes the next
idle time Lomax distributed, heavy-tailed while little is known and exponential in the end."""

_SPREAD: Final = 0.05
"""The share of an observation that goes to each neighbouring bin: no pattern is that exact."""

_WIDTHS: Final = tuple(after - before for before, after in pairwise(EDGES))
_OFFSETS: Final = tuple(edge - FIRST_S for edge in EDGES[1:])


@dataclass(frozen=True, slots=True)
class Residency:
    """When a replica is there, in seconds since the last request ended.

    From 0 to `keep_s`, and from `wake_s` to `until_s` where something is to be expected then.
    """

    keep_s: float
    wake_s: float = 0.0
    until_s: float = 0.0

    def covers(self, idle_s: float) -> bool:
        """Whether a request after so long an idle time finds a replica."""
        return idle_s <= self.keep_s or self.wake_s <= idle_s <= self.until_s

    def idle(self, idle_s: float) -> float:
        """Seconds a replica was there for nothing when the next request came after `idle_s`."""
        kept = min(idle_s, self.keep_s)
        return kept + max(0.0, min(idle_s, self.until_s) - max(self.wake_s, self.keep_s))


def plan_residency(
    idle: IdleHistogram, price_s: float, *, least_s: float = FIRST_S, start_s: float = 5.0
) -> Residency:
    """The residency of most value: seconds saved by warm requests less seconds kept for nothing.

    `price_s` is how many idle replica-seconds one cold start is worth. A replica stays for
    `least_s` in any case; waking ahead costs the start of a process, `start_s`.
    """
    gains, alive = _gains(idle, price_s)
    keep = _best_prefix(gains)
    wake, until = _best_window(gains, keep, [start_s * share for share in alive])
    kept_s = max(least_s, EDGES[keep] if keep else 0.0)
    if until <= wake:
        return Residency(kept_s)
    return Residency(kept_s, max(kept_s, EDGES[wake] - start_s), EDGES[until])


def _gains(idle: IdleHistogram, price_s: float) -> tuple[list[float], list[float]]:
    """For each bin what being there in it gains, and the share of idle times that reach it."""
    counts, total = idle.counts, idle.total + _POISSON_WEIGHT
    shape, scale = idle.total + _RATE_SHAPE, idle.seconds + _RATE_SECONDS
    gains, alive, left = [], [], 1.0
    random_left, near = 1.0, 0.0
    for place, (width, offset) in enumerate(zip(_WIDTHS, _OFFSETS, strict=True)):
        random_after = (scale / (scale + offset)) ** shape
        here = counts[place]
        share = here + _SPREAD * (near + counts[place + 1] - 2 * here)
        share = (share + _POISSON_WEIGHT * (random_left - random_after)) / total
        random_left, near = random_after, here
        after = max(0.0, left - share)
        gains.append(price_s * share - width * (left + after) / 2)
        alive.append(left)
        left = after
    return gains, alive


def _best_prefix(gains: list[float]) -> int:
    """How many bins from the first one are best kept."""
    best, most, total = 0, 0.0, 0.0
    for place, gain in enumerate(gains, 1):
        total += gain
        if total > most:
            best, most = place, total
    return best


def _best_window(gains: list[float], start: int, costs: list[float]) -> tuple[int, int]:
    """The bins from `start` on that gain the most together, each window paying its cost once."""
    best, most = (start, start), 0.0
    begin, total = start, 0.0
    for place in range(start, len(gains)):
        if total <= 0:
            begin, total = place, -costs[place]
        total += gains[place]
        if total > most:
            best, most = (begin, place + 1), total
    return best
