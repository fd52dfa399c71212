"""One activation, phase by phase: what a request that woke a sleeping revision waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from rouse.errors import InvalidError

__all__ = ["ANNOTATION", "PHASES", "Activation"]

ANNOTATION = "rouse.dev/last-cold-start"
"""On a Revision's ``status.annotations``: its newest activation as JSON."""

PHASES = ("queue", "process", "import", "fetch", "load", "warmup", "ready")
"""In the order of time: held before and between the others, process started, framework imported,
model fetched, loaded, warmed up, found ready."""


@dataclass(frozen=True, slots=True)
class Activation:
    """When it began, and the seconds of each phase; what no phase explains is ``queue``."""

    began: datetime
    total_s: float
    phases: Mapping[str, float]

    @classmethod
    def measured(cls, began: datetime, total_s: float, replica: Mapping[str, float]) -> Activation:
        """Make it of the whole wait and the phases the replica reported, in seconds."""
        phases = {name: max(0.0, seconds) for name, seconds in replica.items()}
        queued = max(0.0, total_s - sum(phases.values()))
        return cls(began, total_s, {"queue": queued} | phases)

    def server_timing(self) -> str:
        """The value of a ``Server-Timing`` response header; durations in milliseconds."""
        parts = [f"{name};dur={_ms(seconds)}" for name, seconds in self._ordered()]
        return ", ".join([*parts, f"total;dur={_ms(self.total_s)}"])

    def to_json(self) -> str:
        """The value of the annotation `ANNOTATION`."""
        record = {
            "time": self.began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "totalMs": _ms(self.total_s),
            "phases": {name: _ms(seconds) for name, seconds in self._ordered()},
        }
        return orjson.dumps(record).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Activation:
        """Read what `to_json` wrote; InvalidError where it is something else."""
        try:
            record = orjson.loads(text)
            return cls(
                began=datetime.fromisoformat(record["time"]),
                total_s=float(record["totalMs"]) / 1000,
                phases={str(k): float(v) / 1000 for k, v in record["phases"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidError(f"{ANNOTATION}: {text!r} is no record of a cold start") from error

    def _ordered(self) -> list[tuple[str, float]]:
        """Phases in the order of time; those of a name nobody knows come last."""
        known = [(name, self.phases[name]) for name in PHASES if name in self.phases]
        return known + sorted((n, s) for n, s in self.phases.items() if n not in PHASES)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
