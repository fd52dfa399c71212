"""What a copy of a service's model and image saves, from the wake-ups that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rouse.coldstart.ledger import ServiceLedger

__all__ = ["Demand", "benefit_of", "demand_of"]

_PRIOR_H: Final = 24.0
"""A service of which nothing is known counts as one that wakes once in so many hours."""
_LATENCY_S: Final = 0.5
_BYTES_PER_S: Final = 100e6
"""An origin's or a registry's, where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Demand:
    """How often a service wakes, and the longest that a wake-up waited for its files, in s."""

    wakes_per_h: float
    fetch_s: float = 0.0
    pull_s: float = 0.0


def demand_of(service: Mapping[str, Any], now: datetime) -> Demand:
    """Read the ledger of an InferenceService (status.coldStart)."""
    ledger = ServiceLedger.of(service)
    if ledger is None:
        return Demand(1 / _PRIOR_H)
    recent = ledger.recent
    hours = max((now - recent[0].began).total_seconds(), 0.0) / 3600
    return Demand(
        (len(recent) + 1) / (hours + _PRIOR_H),
        # The longest: where a copy was there already, a wake-up did not wait.
        max(one.phases.get("fetch", 0.0) for one in recent),
        max(one.phases.get("pull", 0.0) for one in recent),
    )


def benefit_of(wakes_per_h: float, measured_s: float, size: int) -> float:
    """Seconds of waiting that copies save in an hour.

    After many wake-ups with a copy nothing measured remains: ``size`` bytes tell it then.
    """
    return wakes_per_h * max(measured_s, _LATENCY_S + size / _BYTES_PER_S)
