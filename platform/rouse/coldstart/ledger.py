"""What an InferenceService's status tells of its wake-ups, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, Self

from rouse.coldstart.activation import PHASES, Activation
from rouse.errors import InvalidError

__all__ = ["ServiceLedger", "costliest", "starts_of"]


@dataclass(frozen=True, slots=True)
class ServiceLedger:
    """The wake-ups of one service. ``recent`` is the history, the newest last; times in seconds."""

    namespace: str
    name: str
    count: int
    since: datetime
    p50_s: float
    p95_s: float
    recent: tuple[Activation, ...]
    dominant: str = ""
    """The phase that took most of the time."""
    budget: str = ""
    """True, False or Unknown, as the condition ColdStartWithinBudget; empty without a budget."""

    @classmethod
    def of(cls, service: Mapping[str, Any]) -> Self | None:
        """Read an InferenceService; None where nothing was written down, or nothing legible."""
        metadata, status = service["metadata"], service.get("status") or {}
        told = status.get("coldStart") or {}
        recent = tuple(_legible(told.get("recent") or ()))
        if not recent:
            return None
        conditions: Iterable[Mapping[str, Any]] = status.get("conditions") or ()
        budgets = [one for one in conditions if one.get("type") == "ColdStartWithinBudget"]
        return cls(
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            count=int(told.get("count", len(recent))),
            since=datetime.fromisoformat(told.get("since") or recent[0].began.isoformat()),
            p50_s=float(told["p50Ms"]) / 1000,
            p95_s=float(told["p95Ms"]) / 1000,
            recent=recent,
            dominant=told.get("dominantPhase", ""),
            budget=budgets[0]["status"] if budgets else "",
        )

    @property
    def last(self) -> Activation:
        """The newest."""
        return self.recent[-1]

    @property
    def waited_s(self) -> float:
        """What callers waited in all, at the median wake-up."""
        return self.count * self.p50_s

    def typical(self) -> dict[str, float]:
        """The median seconds of each phase, in the order of time; where it is absent it took none.

        They need not add up to the median of the whole.
        """
        names = {name for one in self.recent for name in one.phases}
        ordered = [name for name in PHASES if name in names] + sorted(names - set(PHASES))
        return {name: median(one.phases.get(name, 0.0) for one in self.recent) for name in ordered}


def starts_of(service: Mapping[str, Any]) -> tuple[tuple[str, Activation], ...]:
    """Return the starts of an InferenceService's status that nobody waited for, with the cause."""
    records: Iterable[Mapping[str, Any]] = (service.get("status") or {}).get("starts") or ()
    return tuple(
        (str(record.get("cause", "")), found) for record in records for found in _legible([record])
    )


def costliest(ledgers: Iterable[ServiceLedger]) -> list[ServiceLedger]:
    """Return them by what they cost callers, the most first."""
    return sorted(ledgers, key=lambda one: (-one.waited_s, one.namespace, one.name))


def _legible(records: Iterable[Mapping[str, Any]]) -> Iterable[Activation]:
    for record in records:
        try:
            yield Activation.from_record({"phases": {}, **record})
        except InvalidError:
            continue
