"""The scaling of one revision: its metrics, decisions and activity. No I/O; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rouse.autoscaler.decider import Decider, Decision
from rouse.autoscaler.scaler import Activity, Facts, Verdict, judge, needed_to_be_active
from rouse.autoscaler.spec import GRANULARITY_S, AutoscalerSpec, Metric
from rouse.autoscaler.windows import Window, make_window

__all__ = ["Asked", "RequestStats", "RevisionScaler"]

_UNSEEN_REQUEST_S = 0.01
"""What a request that came and went between two scrapes is taken to have lasted."""
_UNSEEN_AT_MOST = 0.5
"""Where a scrape finds nothing in flight, the concurrency is below one."""


class RequestStats(Protocol):
    """Requests of one revision as the gateway counts them: in flight now, and ever begun."""

    @property
    def active(self) -> int: ...  # noqa: D102
    @property
    def total(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Asked:
    """What a revision asks for besides its annotations."""

    spec: AutoscalerSpec
    reachable: bool
    progress_deadline_s: float


class RevisionScaler:
    """One revision between asleep and many replicas.

    ``replicas`` is how many it runs at the start, ``initialized`` whether it ever proved itself.
    ``epoch`` grows with every request that the activator lets through, so that a decision taken
    before one is known to be stale. ``decision`` is that of the last tick.
    """

    def __init__(self, asked: Asked, *, now: float, replicas: int, initialized: bool) -> None:
        self.asked = asked
        # Where nothing is to be started, there is nothing to prove.
        self.initialized = initialized or asked.spec.initial_scale == 0
        asleep = self.initialized and replicas == 0
        self.activity = Activity.INACTIVE if asleep else Activity.ACTIVATING
        self.since = now
        self.want: int | None = None
        self.timed_out = False
        self.confirmed = asleep
        self.in_path = asleep
        self.epoch = 0
        self.decision: Decision | None = None
        self._desired: int | None = None
        self._excess = asked.spec.initial_excess_burst_capacity
        self._decider = Decider(asked.spec.decider, initial_ready=replicas, now=now)
        self._stable, self._panic = _windows(asked.spec)
        self._seen: tuple[float, int] | None = None

    def configure(self, asked: Asked) -> None:
        """Take over changed settings; history is kept unless the windows themselves changed."""
        before, spec = self.asked.spec, asked.spec
        self.asked = asked
        self._decider.spec = spec.decider
        shape = (spec.stable_window_s, spec.panic_window_s, spec.algorithm)
        if shape != (before.stable_window_s, before.panic_window_s, before.algorithm):
            self._stable, self._panic = _windows(spec)

    def record(self, now: float, stats: RequestStats) -> None:
        """Take in a scrape: requests in flight at this moment, and ever begun."""
        value = self._measured(now, stats)
        self._seen = (now, stats.total)
        self._stable.record(now, value)
        self._panic.record(now, value)

    def averages(self, now: float) -> tuple[float, float]:
        """The averages of the stable and of the panic window."""
        return self._stable.average(now), self._panic.average(now)

    def quiet(self, stats: RequestStats | None) -> bool:
        """Whether nothing is in flight and nothing came since the last scrape."""
        if stats is None:
            return True
        return stats.active == 0 and (self._seen is None or stats.total <= self._seen[1])

    def tick(self, now: float, ready: int) -> Verdict:
        """Decide by the metrics, then judge."""
        has_data = self._stable.has_data(now)
        decision = self._decider.decide(
            now,
            self._stable.average(now) if has_data else None,
            self._panic.average(now) if has_data else None,
            ready,
        )
        self.decision = decision
        if decision.valid:
            self._desired = decision.desired
            self._excess = decision.excess_burst_capacity
        return self.judge(now, ready)

    def poke(self, now: float, ready: int) -> Verdict | None:
        """A request is at the activator. None where that changes nothing."""
        self.epoch += 1
        if self.activity is Activity.ACTIVE or (self.want and not self.in_path):
            return None
        least = max(1, self.asked.spec.decider.activation_scale)
        self._desired = max(self._desired or 0, least)
        return self.judge(now, ready)

    def fell_asleep(self) -> None:
        """The last replica is going: what was decided before says nothing any more."""
        self._desired = None

    def judge(self, now: float, ready: int) -> Verdict:
        """Apply bounds and the steps to zero to the last decision; moves the activity on."""
        facts = Facts(
            now=now,
            desired=self._desired,
            excess_burst_capacity=self._excess,
            ready=ready,
            activity=self.activity,
            since=self.since,
            initialized=self.initialized,
            reachable=self.asked.reachable,
            activator_confirmed=self.confirmed,
            progress_deadline_s=self.asked.progress_deadline_s,
        )
        verdict = judge(self.asked.spec, facts)
        if not self.initialized and ready >= needed_to_be_active(self.asked.spec, facts):
            self.initialized = True
        if verdict.activity is not self.activity:
            self.timed_out = verdict.gave_up and self.late(now)
            self.since = now
            self.confirmed = False
        self.activity = verdict.activity
        self.want = verdict.want
        self.in_path = verdict.activator_in_path
        return verdict

    def late(self, now: float) -> bool:
        """Whether the present activation has lasted longer than the progress deadline."""
        waited = now - self.since
        activating = self.activity is Activity.ACTIVATING
        return self.timed_out or (activating and waited >= self.asked.progress_deadline_s)

    def _measured(self, now: float, stats: RequestStats) -> float:
        came, elapsed = 0, GRANULARITY_S
        if self._seen is not None:
            came = max(0, stats.total - self._seen[1])
            elapsed = max(1e-3, now - self._seen[0])
        if self.asked.spec.metric is Metric.RPS:
            return came / elapsed
        if stats.active:
            return float(stats.active)
        return min(_UNSEEN_AT_MOST, came * _UNSEEN_REQUEST_S / elapsed)


def _windows(spec: AutoscalerSpec) -> tuple[Window, Window]:
    return (
        make_window(spec.algorithm, spec.stable_window_s, GRANULARITY_S),
        make_window(spec.algorithm, spec.panic_window_s, GRANULARITY_S),
    )
