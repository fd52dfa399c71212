"""One activation, phase by phase: what a request that woke a sleeping revision waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from rouse.errors import InvalidError

__all__ = ["ANNOTATION", "PHASES", "Activation"]

ANNOTATION = "rouse.dev/last-cold-start"
"""On a Revision's ``status.annotations``: its newest activation as JSON."""

PHASES = (
    "queue",
    "node",
    "schedule",
    "pull",
    "container",
    "process",
    "import",
    "fetch",
    "load",
    "warmup",
    "ready",
    "answer",
)
"""In the order of time: held before and between the others, node provisioned, pod bound to it,
images pulled, container made, process started, framework imported, model fetched, loaded, warmed
up, found ready, first answer given."""


@dataclass(frozen=True, slots=True)
class Activation:
    """When it began, and the seconds of each phase; what no phase explains is ``queue``.

    ``pod`` is the one that woke, ``trace_id`` the W3C trace of the request that waited first, 32
    hexadecimal digits; both are empty where they are not known. ``unknown`` names phases that
    nobody could see, and that are not part of the whole.
    """

    began: datetime
    total_s: float
    phases: Mapping[str, float]
    pod: str = ""
    trace_id: str = ""
    unknown: tuple[str, ...] = ()

    @classmethod
    def measured(
        cls,
        began: datetime,
        total_s: float,
        replica: Mapping[str, float],
        *,
        pod: str = "",
        trace_id: str = "",
    ) -> Activation:
        """Make it of the whole wait and the phases the replica reported, in seconds."""
        phases = {name: max(0.0, seconds) for name, seconds in replica.items()}
        queued = max(0.0, total_s - sum(phases.values()))
        return cls(began, total_s, {"queue": queued} | phases, pod, trace_id)

    def answered(self, seconds: float) -> Activation:
        """The same with the seconds from its being ready to the end of the first answer."""
        seconds = max(0.0, seconds)
        phases = {**self.phases, "answer": seconds}
        return replace(self, total_s=self.total_s + seconds, phases=phases)

    def server_timing(self) -> str:
        """The value of a ``Server-Timing`` response header; durations in milliseconds."""
        parts = [f"{name};dur={_ms(seconds)}" for name, seconds in self._ordered()]
        return ", ".join([*parts, f"total;dur={_ms(self.total_s)}"])

    def to_record(self) -> dict[str, object]:
        """As a JSON object: time (RFC 3339, UTC), totalMs, phases in ms, pod, traceId, unknown."""
        record: dict[str, object] = {
            "time": self.began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "totalMs": _ms(self.total_s),
            "phases": {name: _ms(seconds) for name, seconds in self._ordered()},
        }
        named = {"pod": self.pod, "traceId": self.trace_id, "unknown": list(self.unknown)}
        return record | {name: value for name, value in named.items() if value}

    def to_json(self) -> str:
        """The value of the annotation `ANNOTATION`."""
        return orjson.dumps(self.to_record()).decode()

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Activation:
        """Read what `to_record` wrote; InvalidError where it is something else."""
        return cls.from_json(orjson.dumps(record))

    @classmethod
    def from_json(cls, text: str | bytes) -> Activation:
        """Read what `to_json` wrote; InvalidError where it is something else."""
        try:
            record = orjson.loads(text)
            return cls(
                began=datetime.fromisoformat(record["time"]),
                total_s=float(record["totalMs"]) / 1000,
                phases={str(k): float(v) / 1000 for k, v in record["phases"].items()},
                pod=str(record.get("pod", "")),
                trace_id=str(record.get("traceId", "")),
                unknown=tuple(map(str, record.get("unknown") or ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidError(f"{ANNOTATION}: {text!r} is no record of a cold start") from error

    def _ordered(self) -> list[tuple[str, float]]:
        """Phases in the order of time; those of a name nobody knows come last."""
        known = [(name, self.phases[name]) for name in PHASES if name in self.phases]
        return known + sorted((n, s) for n, s in self.phases.items() if n not in PHASES)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
