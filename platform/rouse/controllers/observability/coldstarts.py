"""Wake-ups as histograms, per service and phase, with the traces of requests that waited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rouse.coldstart import PHASES
from rouse.daemon.registry import Family, Histogram
from rouse.kube.objects import Key

__all__ = ["SERVICES", "ColdStartMetrics"]

SERVICES: Final = 500
"""Services with series of their own: of more, the one that has not woken for longest goes."""

_OTHER: Final = "other"
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class ColdStartMetrics:
    """Observes the records of status.coldStart; the label values are bounded."""

    def __init__(self, services: int = SERVICES) -> None:
        self._limit = services
        self._woken: dict[Key, None] = {}
        """In the order of their last wake-up."""
        self._seconds = Histogram(
            "rouse_coldstart_seconds",
            "How long services took to wake.",
            ("namespace", "service"),
            bounds=_BOUNDS,
        )
        self._phases = Histogram(
            "rouse_coldstart_phase_seconds",
            "How long the phases of a wake-up took.",
            ("namespace", "service", "phase"),
            bounds=_BOUNDS,
        )
        self._within = Family(
            "gauge",
            "rouse_coldstart_within_budget",
            "1 while the p95 of a service's wake-ups is within its budget, else 0.",
            ("namespace", "service"),
        )
        self._judged: set[Key] = set()

    def families(self) -> tuple[Family, ...]:
        """What is exposed."""
        return self._seconds, self._phases, self._within

    def woke(self, key: Key, record: Mapping[str, Any]) -> None:
        """Count a wake-up of an InferenceService."""
        self._woken.pop(key, None)
        self._woken[key] = None
        while len(self._woken) > self._limit:
            self._forget_wake_ups(next(iter(self._woken)))
        trace_id = str(record.get("traceId", ""))
        self._seconds.observe(record["totalMs"] / 1000, *key, trace_id=trace_id)
        told: dict[str, float] = {}
        for name, milliseconds in (record.get("phases") or {}).items():
            phase = name if name in PHASES else _OTHER
            told[phase] = told.get(phase, 0.0) + milliseconds / 1000
        for phase, seconds in told.items():
            self._phases.observe(seconds, *key, phase, trace_id=trace_id)

    def judged(self, key: Key, within: bool | None) -> None:
        """Take note of whether a service keeps its budget; None: it has none, or never woke."""
        if within is None:
            self._judged.discard(key)
            self._within.drop(*key)
        elif key in self._judged or len(self._judged) < self._limit:
            self._judged.add(key)
            self._within.set(float(within), *key)

    def forget(self, key: Key) -> None:
        """Drop the series of a service that is gone."""
        self.judged(key, None)
        self._forget_wake_ups(key)

    def _forget_wake_ups(self, key: Key) -> None:
        if key not in self._woken:
            return
        del self._woken[key]
        self._seconds.drop(*key)
        for phase in (*PHASES, _OTHER):
            self._phases.drop(*key, phase)
