"""Requests through the whole arithmetic: windows, decisions, bounds, and pods that start slowly.

What is simulated here is time, the pods and the requests in them; every number of scaling comes
from the code the engine runs. Requests wait in one queue, as they do at the activator, and go to
the ready pod with the fewest requests. A pod that is let go finishes what it has.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from rouse.autoscaler.decider import TICK_S, Decision
from rouse.autoscaler.revision import Asked, RevisionScaler
from rouse.autoscaler.scaler import PROGRESS_DEADLINE_S, Activity, Verdict
from rouse.autoscaler.spec import GRANULARITY_S, AutoscalerSpec
from rouse.traces import Trace

__all__ = ["Request", "Row", "Workload", "simulate"]


class Request(Trace):
    """One request of a trace: when it arrives and how long it keeps a pod busy, in seconds."""

    arrival: Annotated[float, Field(ge=0)]
    service_time: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Workload:
    """What is run: the requests, the settings, and the pods.

    `container_concurrency` 0 is no limit; `start_s` is how long a pod takes to be ready.
    """

    requests: Sequence[Request]
    spec: AutoscalerSpec
    container_concurrency: int = 0
    start_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """The state after a tick.

    `stable` and `panic` are the averages the decision was made from; `waited_s` is the longest
    wait of the requests that began since the last tick.
    """

    t: float
    in_flight: int
    queued: int
    stable: float
    panic: float
    decision: Decision
    want: int | None
    replicas: int
    ready: int
    activity: Activity
    activator_in_path: bool
    waited_s: float


@dataclass(slots=True, eq=False)
class _Pod:
    ready: bool = False
    leaving: bool = False
    running: int = 0


@dataclass(slots=True)
class _Service:
    """The pods and the queue of one revision, moved from event to event.

    `active` counts what waits and what runs, `total` all that ever came, as the gateway does.
    """

    workload: Workload
    active: int = 0
    total: int = 0
    pods: list[_Pod] = field(default_factory=list)
    queue: deque[Request] = field(default_factory=deque)
    events: list[tuple[float, int, _Pod, bool]] = field(default_factory=list)
    counted: int = 0
    longest_wait: float = 0.0

    def arrive(self, now: float, request: Request) -> None:
        self.active += 1
        self.total += 1
        self.queue.append(request)
        self._dispatch(now)

    def handle(self, now: float, pod: _Pod, *, became_ready: bool) -> None:
        if became_ready:
            pod.ready = not pod.leaving
        else:
            self.active -= 1
            pod.running -= 1
        self._dispatch(now)

    def scale(self, now: float, replicas: int) -> None:
        """Start pods, or let go of the least busy ones."""
        for _ in range(replicas - len(self.pods)):
            pod = _Pod()
            self.pods.append(pod)
            self._at(now + self.workload.start_s, pod, became_ready=True)
        for _ in range(len(self.pods) - replicas):
            pod = min(self.pods, key=lambda one: (one.ready, one.running))
            pod.leaving, pod.ready = True, False
            self.pods.remove(pod)

    def ready(self) -> int:
        return sum(pod.ready for pod in self.pods)

    def _at(self, when: float, pod: _Pod, *, became_ready: bool) -> None:
        self.counted += 1
        heapq.heappush(self.events, (when, self.counted, pod, became_ready))

    def _dispatch(self, now: float) -> None:
        limit = self.workload.container_concurrency
        while self.queue:
            free = [pod for pod in self.pods if pod.ready and not 0 < limit <= pod.running]
            if not free:
                return
            request = self.queue.popleft()
            self.longest_wait = max(self.longest_wait, now - request.arrival)
            pod = min(free, key=lambda one: one.running)
            pod.running += 1
            self._at(now + request.service_time, pod, became_ready=False)


def simulate(workload: Workload) -> Iterator[Row]:
    """A row for every tick, until all requests are answered and all windows have passed."""
    spec = workload.spec
    requests = sorted(workload.requests, key=lambda one: one.arrival)
    service = _Service(workload)
    asked = Asked(spec, reachable=True, progress_deadline_s=PROGRESS_DEADLINE_S)
    first = max(spec.initial_scale, spec.min_scale)
    service.scale(0.0, first)
    scaler = RevisionScaler(asked, now=0.0, replicas=first, initialized=False)
    last_busy, second, done = 0.0, 0, 0
    while second * GRANULARITY_S - last_busy <= _until_quiet(spec):
        second += 1
        now = second * GRANULARITY_S
        done = _run_until(now, requests, done, service, scaler)
        scaler.record(now, service)
        if service.active or done < len(requests):
            last_busy = now
        if now % TICK_S == 0:
            verdict = scaler.tick(now, service.ready())
            _carry_out(now, verdict, service, scaler)
            yield _row(now, service, scaler)
            service.longest_wait = 0.0


def _until_quiet(spec: AutoscalerSpec) -> float:
    """Seconds after the last request in which something may still change."""
    patience = max(spec.grace_period_s, spec.pod_retention_s)
    return 2 * spec.stable_window_s + spec.decider.scale_down_delay_s + patience + 4 * TICK_S


def _run_until(
    until: float,
    requests: Sequence[Request],
    done: int,
    service: _Service,
    scaler: RevisionScaler,
) -> int:
    """Carry out all events before ``until``; the number of requests that have arrived."""
    while True:
        arrival = requests[done].arrival if done < len(requests) else until
        event = service.events[0][0] if service.events else until
        now = min(arrival, event)
        if now >= until:
            return done
        if event <= arrival:
            _, _, pod, became_ready = heapq.heappop(service.events)
            service.handle(now, pod, became_ready=became_ready)
            continue
        service.arrive(now, requests[done])
        done += 1
        if scaler.in_path:
            verdict = scaler.poke(now, service.ready())
            if verdict is not None:
                _carry_out(now, verdict, service, scaler)


def _carry_out(now: float, verdict: Verdict, service: _Service, scaler: RevisionScaler) -> None:
    """What the engine does of a verdict; here the gateway confirms at once."""
    if scaler.activity is Activity.INACTIVE:
        scaler.confirmed = True
    if verdict.replicas == 0 and (service.active or not service.pods):
        return
    if verdict.replicas == 0:
        scaler.fell_asleep()
    if verdict.replicas is not None:
        service.scale(now, verdict.replicas)


def _row(now: float, service: _Service, scaler: RevisionScaler) -> Row:
    stable, panic = scaler.averages(now)
    assert scaler.decision is not None  # noqa: S101 - a tick was just decided
    return Row(
        t=now,
        in_flight=service.active - len(service.queue),
        queued=len(service.queue),
        stable=stable,
        panic=panic,
        decision=scaler.decision,
        want=scaler.want,
        replicas=len(service.pods),
        ready=service.ready(),
        activity=scaler.activity,
        activator_in_path=scaler.in_path,
        waited_s=service.longest_wait,
    )
