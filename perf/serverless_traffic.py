"""Made-up traffic of many services, with the published shape of serverless traffic.

The shape is that of Shahrad et al., "Serverless in the Wild: Characterizing and Optimizing the
Serverless Workload at a Large Cloud Provider" (USENIX ATC 2020), Sections 3.2 to 3.4:

- invocations a day span eight orders of magnitude; 45 % of the applications are called once an hour
  or less on average, 81 % once a minute or less;
- a minority is periodic (timers), many are close to Poisson, the rest comes in bursts, with a
  coefficient of variation above one;
- half of the calls take less than a second, and few more than a minute.

The parameters below are ours, chosen to have that shape; no published trace is in here.
"""

from __future__ import annotations

import bisect
import math
import random
from typing import Final

from rouse.coldstart.idle import FIRST_S
from rouse.coldstart.simulation import Spells

__all__ = ["DAY_S", "synthesize"]

DAY_S: Final = 86_400.0

RATES: Final = ((0.0, 0.5), (0.45, 24.0), (0.81, 1440.0), (0.96, DAY_S), (1.0, 1e7))
"""Cumulative share of the services, and their invocations a day; logarithmic in between."""

PERIODIC, POISSON = 0.25, 0.45
"""Shares of the services; the rest comes in bursts."""

PERIODS_S: Final = (300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)
JITTER: Final = 0.01
BURST_CALLS: Final = 8.0
"""Mean calls of a burst; within it they come forty times as often as bursts do."""


def synthesize(services: int, seed: int) -> list[Spells]:
    """The busy spells of one day; the same seed gives the same traffic."""
    rng = random.Random(seed)
    return [_service(rng) for _ in range(services)]


def _service(rng: random.Random) -> Spells:
    rate = _rate(rng.random()) / DAY_S
    duration = min(rng.lognormvariate(math.log(0.7), 1.6), 300.0)
    kind = rng.random()
    if rate > 0.2:  # never idle for a minute
        return [(rng.uniform(0, FIRST_S), DAY_S)]
    if kind < PERIODIC and rate < 1 / PERIODS_S[0]:
        return _periodic(rng, rate, duration)
    if kind < PERIODIC + POISSON:
        return _poisson(rng, rate, duration)
    return _bursts(rng, rate, duration)


def _rate(share: float) -> float:
    """Invocations a day at a place of the cumulative distribution."""
    place = min(bisect.bisect_right(RATES, (share, math.inf)), len(RATES) - 1)
    (low, less), (high, more) = RATES[place - 1], RATES[place]
    return float(less * (more / less) ** ((share - low) / (high - low)))


def _periodic(rng: random.Random, rate: float, duration: float) -> Spells:
    period = min(PERIODS_S, key=lambda one: abs(math.log(one * rate)))
    jitter = period * JITTER
    at, spells = rng.uniform(0, period), []
    while at < DAY_S:
        begin = max(0.0, at + rng.uniform(-jitter, jitter))
        spells.append((begin, begin + duration))
        at += period
    return spells


def _poisson(rng: random.Random, rate: float, duration: float) -> Spells:
    """Spells directly: the time after a quiet minute is exponential again."""
    quiet = math.exp(-FIRST_S * rate)
    inner = 1 / rate - FIRST_S * quiet / max(1e-12, 1 - quiet)
    at, spells = rng.expovariate(rate), []
    while at < DAY_S:
        more = int(math.log(1 - rng.random()) / math.log(1 - quiet)) if quiet < 1 else 0
        length = rng.gammavariate(more, inner) if more else 0.0
        spells.append((at, min(DAY_S, at + length) + duration))
        at = spells[-1][1] + FIRST_S + rng.expovariate(rate)
    return spells


def _bursts(rng: random.Random, rate: float, duration: float) -> Spells:
    """Bursts at Poisson times, a geometric number of calls in each."""
    between = rate / BURST_CALLS
    spells: list[tuple[float, float]] = []
    at = rng.expovariate(between)
    while at < DAY_S:
        call, left = at, int(math.log(1 - rng.random()) / math.log(1 - 1 / BURST_CALLS)) + 1
        while left and call < DAY_S:
            if spells and call - spells[-1][1] <= FIRST_S:
                spells[-1] = (spells[-1][0], max(spells[-1][1], call + duration))
            else:
                spells.append((call, call + duration))
            call += rng.expovariate(40 * between)
            left -= 1
        at = max(at + rng.expovariate(between), call)
    return spells
