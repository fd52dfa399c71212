"""Cold starts against idle time, on made-up traffic of serverless shape.

`python -m perf.keepalive [--services 50000] [--seed 7]`: one day under a fixed keep-alive of ten
minutes, Knative's default, and ours at several prices of a cold start. Ours is compared where it
wastes as much as the fixed keep-alive, and where it has as many cold starts, by interpolation on
its curve. The bound is the offline optimum with the fixed keep-alive's idle time.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from itertools import pairwise

from perf.report import Figure, publish
from perf.serverless_traffic import DAY_S, synthesize
from rouse.coldstart.simulation import Fixed, Learned, Outcome, optimum, simulate

_FIXED_S = 600.0
_KNATIVE_S = 90.0
_PRICES_S = (300.0, 600.0, 800.0, 1000.0, 2000.0)


def crossing(at: float, curve: Sequence[tuple[float, float]]) -> float:
    """The second coordinate where the curve passes `at`, on logarithmic axes; nan if nowhere."""
    for (x, y), (next_x, next_y) in pairwise(curve):
        if min(x, next_x) <= at <= max(x, next_x):
            share = math.log(at / x) / math.log(next_x / x)
            return float(y * (next_y / y) ** share)
    return math.nan


def main() -> None:
    """Generate, simulate, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m perf.keepalive", description=__doc__)
    parser.add_argument("--services", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    services = synthesize(arguments.services, arguments.seed)
    fixed = _shown("fixed 600 s", simulate(services, Fixed(_FIXED_S), DAY_S))
    _shown("Knative's default", simulate(services, Fixed(_KNATIVE_S), DAY_S))
    curve, seconds = [], []
    for price in _PRICES_S:
        began = time.perf_counter()
        outcome = simulate(services, Learned(price), DAY_S)
        seconds.append(time.perf_counter() - began)
        curve.append(_shown(f"ours at {price:g} s", outcome))
    bound = _shown("optimum", optimum(services, fixed.idle_s))
    by_waste = [(one.idle_s, float(one.cold_starts)) for one in curve]
    by_cold = [(float(one.cold_starts), one.idle_s) for one in curve]
    cold = crossing(fixed.idle_s, by_waste) / fixed.cold_starts
    waste = crossing(float(fixed.cold_starts), by_cold) / fixed.idle_s
    publish(
        "keepalive",
        [
            Figure("cold_starts_at_equal_waste", cold, "x", 0.6),
            Figure("waste_at_equal_cold_starts", waste, "x", None, "(bar: 0.5, or the one above)"),
            Figure("cold_starts_optimum", bound.cold_starts / fixed.cold_starts, "x"),
            Figure("simulate_50k_day_s", max(seconds) * 50_000 / len(services), "s", 60.0),
        ],
    )


def _shown(name: str, outcome: Outcome) -> Outcome:
    idle = outcome.idle_s / 3600
    print(f"  {name:<20} {outcome.cold_starts:>9} cold starts {idle:>12.0f} replica-hours idle")
    return outcome


if __name__ == "__main__":
    main()
