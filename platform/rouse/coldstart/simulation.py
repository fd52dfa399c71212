"""Replaying the requests of many services under a policy of keeping them awake.

A service is a list of busy spells: requests less than a minute apart are one spell, because no
policy here lets a service go within Knative's stable window. A spell that begins with no replica
there is a cold start; a replica that is there outside of spells is idle, which is the waste.
Further replicas of one service are not simulated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, Protocol

from pydantic import Field

from rouse.coldstart.idle import FIRST_S, IdleHistogram
from rouse.coldstart.keepalive import Residency, plan_residency
from rouse.traces import Trace

__all__ = [
    "Fixed",
    "Learned",
    "Outcome",
    "Policy",
    "ServicePolicy",
    "ServiceRequest",
    "Spells",
    "merge_spells",
    "optimum",
    "simulate",
]

_ENOUGH: Final = 0.2
"""The share of a history that must be new for it to be planned by again."""

Spells = Sequence[tuple[float, float]]
"""Begin and end of each busy spell of one service, in seconds, in order and apart."""


class ServiceRequest(Trace):
    """A line of a trace: a request of a service, its arrival and service time in seconds."""

    service: str
    arrival: Annotated[float, Field(ge=0)]
    service_time: Annotated[float, Field(ge=0)] = 0.0


class Policy(Protocol):
    """How services are kept awake."""

    def begin(self) -> ServicePolicy:
        """The state of the policy for one service of which nothing is known."""


class ServicePolicy(Protocol):
    """The policy of one service. It knows the past only."""

    def after(self, now: float, idle_s: float | None) -> Residency:
        """What to do after a spell that ends `now`; `idle_s` is what lay before the spell."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same keep-alive for all services; it is its own state."""

    keep_s: float

    def begin(self) -> ServicePolicy:
        """Nothing is remembered."""
        return self

    def after(self, now: float, idle_s: float | None) -> Residency:
        """Always the same."""
        return Residency(self.keep_s)


@dataclass(frozen=True, slots=True)
class Learned:
    """Each service by its own history, planned again when enough is new.

    `price_s` is how many idle replica-seconds one cold start is worth.
    """

    price_s: float
    start_s: float = 5.0

    def begin(self) -> ServicePolicy:
        """An empty history."""
        return _History(self)


class _History:
    __slots__ = ("_idle", "_news", "_policy", "_residency")

    def __init__(self, policy: Learned) -> None:
        self._policy = policy
        self._idle = IdleHistogram()
        self._residency: Residency | None = None
        self._news = 0

    def after(self, now: float, idle_s: float | None) -> Residency:
        idle, policy = self._idle, self._policy
        if idle_s is not None:
            idle.record(idle_s)
            self._news += 1
        residency = self._residency
        if residency is None or self._news > _ENOUGH * idle.total:
            residency = plan_residency(idle, policy.price_s, start_s=policy.start_s)
            self._residency, self._news = residency, 0
        return residency


@dataclass(slots=True)
class Outcome:
    """What a policy did: spells and those that began cold, and replica-seconds idle."""

    spells: int = 0
    cold_starts: int = 0
    idle_s: float = 0.0

    def cost(self, idle_price: float, cold_start_price: float) -> float:
        """Money: idle replica-seconds and cold starts at their prices."""
        return self.idle_s * idle_price + self.cold_starts * cold_start_price


def simulate(services: Iterable[Spells], policy: Policy, until_s: float) -> Outcome:
    """Run all services until `until_s`. The first spell of each is cold under every policy."""
    outcome = Outcome()
    for spells in services:
        if spells:
            _run(spells, policy.begin(), until_s, outcome)
    return outcome


def _run(spells: Spells, policy: ServicePolicy, until_s: float, outcome: Outcome) -> None:
    cold, wasted = 1, 0.0
    residency = policy.after(spells[0][1], None)
    ended = spells[0][1]
    for begin, end in spells[1:]:
        idle_s = begin - ended
        cold += not residency.covers(idle_s)
        wasted += residency.idle(idle_s)
        residency = policy.after(end, idle_s)
        ended = end
    outcome.spells += len(spells)
    outcome.cold_starts += cold
    outcome.idle_s += wasted + residency.idle(max(0.0, until_s - ended))


def optimum(
    services: Iterable[Spells], idle_s: float, *, least_s: float = FIRST_S, start_s: float = 5.0
) -> Outcome:
    """The bound: who knows every next request, and may have as much idle time as `idle_s`.

    Each idle time is bridged or begun again just in time, whichever is cheaper, the cheapest
    first. The stable window is kept by all policies, this one too.
    """
    outcome = Outcome()
    prices: list[float] = []
    for spells in services:
        if not spells:
            continue
        outcome.spells += len(spells)
        outcome.cold_starts += len(spells)
        outcome.idle_s += least_s
        for (_, ended), (begin, _) in pairwise(spells):
            idle = begin - ended
            outcome.idle_s += min(least_s, idle)
            prices.append(min(max(0.0, idle - least_s), start_s))
    for price in sorted(prices):
        if outcome.idle_s + price > idle_s:
            break
        outcome.idle_s += price
        outcome.cold_starts -= 1
    return outcome


def merge_spells(requests: Iterable[tuple[float, float]], apart_s: float = FIRST_S) -> Spells:
    """Busy spells of requests given as (arrival, service time) in seconds, in any order."""
    spells: list[tuple[float, float]] = []
    for arrival, service_s in sorted(requests):
        if spells and arrival - spells[-1][1] <= apart_s:
            spells[-1] = (spells[-1][0], max(spells[-1][1], arrival + service_s))
        else:
            spells.append((arrival, arrival + service_s))
    return spells
