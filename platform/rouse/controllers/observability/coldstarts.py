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

    def families(self) -> tuple[Family, ...]:
        """What is exposed."""
        return self._seconds, self._phases

    def woke(self, key: Key, record: Mapping[str, Any]) -> None:
        """Count a wake-up of an InferenceService."""
        self._woken.pop(key, None)
        self._woken[key] = None
        while len(self._woken) > self._limit:
            self.forget(next(iter(self._woken)))
        trace_id = str(record.get("traceId", ""))
        self._seconds.observe(record["totalMs"] / 1000, *key, trace_id=trace_id)
        told: dict[str, float] = {}
        for name, milliseconds in (record.get("phases") or {}).items():
            phase = name if name in PHASES else _OTHER
            told[phase] = told.get(phase, 0.0) + milliseconds / 1000
        for phase, seconds in told.items():
            self._phases.observe(seconds, *key, phase, trace_id=trace_id)

    def forget(self, key: Key) -> None:
        """Drop the series of a service."""
        self._woken.pop(key, None)
        self._seconds.drop(tuple(key))
        for phase in (*PHASES, _OTHER):
            self._phases.drop((*key, phase))
