"""python -m perf.eviction: which policy a node's model cache is to evict by.

A synthetic trace: which model is called follows Zipf's law (exponent 0.9), sizes are log-normal
from a few kilobytes (scikit-learn) to tens of gigabytes (language models), and popularity drifts:
each hour one model in fifty changes its place. A miss costs its caller half a second and the bytes
at 200 MB/s. The caches hold 5, 10 and 25 % of all bytes.

Printed for each policy: hits of objects, hits of bytes, and the seconds that callers wait for
models per thousand calls. The last one is what a caller feels, and decides.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from perf.report import Figure, publish
from rouse.coldstart.eviction import DEFAULT_POLICY, Entry, Policy, choose

_LATENCY_S = 0.5
_BYTES_PER_S = 200e6
_DRIFT_EVERY = 500
_DRIFT = 50
SHARES = (0.05, 0.10, 0.25)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy made of a trace."""

    object_hits: float
    byte_hits: float
    wait_s: float
    """Seconds that callers waited for models, per thousand calls."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Calls of models, by their numbers."""

    sizes: tuple[int, ...]
    calls: tuple[int, ...]


def make_trace(models: int, calls: int, seed: int) -> Trace:
    """Draw a trace; equal arguments give equal traces."""
    draw = np.random.default_rng(seed)
    sizes = np.clip(draw.lognormal(np.log(50e6), 2.5, models), 4e3, 40e9).astype(np.int64)
    weights = 1.0 / np.arange(1, models + 1) ** 0.9
    weights /= weights.sum()
    places = draw.permutation(models)
    said: list[int] = []
    while len(said) < calls:
        ranks = draw.choice(models, min(_DRIFT_EVERY, calls - len(said)), p=weights)
        said += places[ranks].tolist()
        some = draw.choice(models, max(2, models // _DRIFT), replace=False)
        places[some] = places[draw.permutation(some)]
    return Trace(tuple(sizes.tolist()), tuple(said))


def replay(trace: Trace, budget: int, policy: Policy) -> Outcome:
    """Run a trace against a cache of ``budget`` bytes."""
    kept: dict[int, Entry] = {}
    age = 0.0
    hits = hit_bytes = all_bytes = 0
    waited = 0.0
    for at, number in enumerate(trace.calls):
        size = trace.sizes[number]
        all_bytes += size
        found = kept.get(number)
        if found is not None:
            hits += 1
            hit_bytes += size
            kept[number] = replace(found, uses=found.uses + 1, used_at=float(at), age=age)
            continue
        cost = _LATENCY_S + size / _BYTES_PER_S
        waited += cost
        eviction = choose(kept.values(), size, budget=budget, policy=policy, age=age)
        if eviction.short:
            continue
        age = eviction.age
        for each in eviction.gone:
            del kept[int(each.name)]
        kept[number] = Entry(str(number), size, used_at=float(at), cost=cost, age=age)
    count = len(trace.calls)
    return Outcome(hits / count, hit_bytes / all_bytes, 1000 * waited / count)


def compare(models: int, calls: int, seeds: Sequence[int]) -> dict[Policy, Outcome]:
    """Each policy's mean over all traces and sizes of cache."""
    found: dict[Policy, list[Outcome]] = {each: [] for each in Policy}
    for seed in seeds:
        trace = make_trace(models, calls, seed)
        for share in SHARES:
            for policy in Policy:
                budget = int(share * sum(trace.sizes))
                found[policy].append(replay(trace, budget, policy))
    return {policy: _mean(outcomes) for policy, outcomes in found.items()}


def _mean(outcomes: Sequence[Outcome]) -> Outcome:
    rows = np.array([(each.object_hits, each.byte_hits, each.wait_s) for each in outcomes])
    objects, size, wait = rows.mean(axis=0).tolist()
    return Outcome(objects, size, wait)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 when another policy than the default leaves callers waiting less."""
    parser = argparse.ArgumentParser(prog="python -m perf.eviction", description=__doc__)
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--traces", type=int, default=5)
    given = parser.parse_args(argv)
    found = compare(given.models, given.calls, range(given.traces))
    figures = []
    for policy, outcome in found.items():
        figures += [
            Figure(f"evict_{policy}_object_hits", outcome.object_hits, ""),
            Figure(f"evict_{policy}_byte_hits", outcome.byte_hits, ""),
            Figure(f"evict_{policy}_wait", outcome.wait_s, "s/1000 calls"),
        ]
    publish("eviction", figures)
    best = min(found, key=lambda policy: found[policy].wait_s)
    return 0 if best is DEFAULT_POLICY else 1


if __name__ == "__main__":
    sys.exit(main())
