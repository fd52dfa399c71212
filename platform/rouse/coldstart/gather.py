"""An activation on a cluster, from what is truly there: timestamps, Events, the server's report.

Kubernetes writes times to the second, so a phase read from them is right to a second; what the
kubelet says in words (how long a pull took) and what the model server reports is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rouse.coldstart.activation import Activation

__all__ = ["REPORTED", "UNSEEN", "ended_sleep", "gather", "parse_report", "time_of", "was_there"]

_PARTS: Final = ("import", "fetch", "load", "warmup")
REPORTED: Final = (*_PARTS, "total", "asked", "answered")
"""What a model server reports of its start: seconds of phases; ``total`` is from its process to its
being ready, ``asked`` and ``answered`` from then to the first request that it answered, and to the
end of that."""

UNSEEN: Final = ("queue", "answer")
"""Phases that the API tells nothing of: how long requests were held before there was a pod, and how
long the first of them took then. Of the second the model server may tell."""

_MAIN: Final = "kserve-container"
_INITIALIZER: Final = "storage-initializer"
_PULLED: Final = re.compile(
    r"^Successfully pulled image .*? in ([0-9.a-zµ]+)(?: \(([0-9.a-zµ]+) inc)?"
)
_PART: Final = re.compile(r"([0-9.]+)(ms|us|µs|ns|h|m|s)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_QUEUE_PROXY: Final = "queue-proxy"
_LATE_S: Final = 5.0
"""A first request that comes so much after the pod was ready is not the one that woke it."""
_SAMPLE: Final = re.compile(
    r"^(?:startup_phase_seconds|cold_start_seconds_sum|first_answer_seconds)"
    r'\{[^}]*?(?:phase|part)="(\w+)"[^}]*\} (\S+)'
)
_WORKERS: Final = re.compile(r'^cold_start_seconds_count\{[^}]*?phase="total"[^}]*\} (\d+)')


def gather(
    pod: Mapping[str, Any],
    events: Iterable[Mapping[str, Any]] = (),
    node: Mapping[str, Any] | None = None,
    server_report: Mapping[str, float] | None = None,
) -> Activation | None:
    """Return how a pod came to answer; None while it is not ready, or its start was disturbed.

    ``events`` are those about the pod, ``node`` is the one it runs on, ``server_report`` has the
    seconds of `REPORTED`, as far as they are known. A container that was restarted tells nothing
    of the start before.
    """
    created, ready = time_of(_metadata(pod).get("creationTimestamp")), _since(pod, "Ready")
    main = _container(pod, "containerStatuses", _MAIN)
    started = time_of(((main.get("state") or {}).get("running") or {}).get("startedAt"))
    if created is None or ready is None or started is None or main.get("restartCount"):
        return None
    noted = list(events)
    scheduled = _within(created, _since(pod, "PodScheduled") or created, started)
    phases = _placing(created, scheduled, noted, node)
    phases |= _containers(pod, scheduled, started, noted)
    whole = _seconds(started, max(started, ready))
    # Knative's activator asks the pod itself: its first answer may come long before `Ready`.
    held = bool(_container(pod, "containerStatuses", _QUEUE_PROXY))
    served, unknown = _serving(whole, server_report or {}, held=held)
    told = {name: seconds for name, seconds in (phases | served).items() if seconds > 0}
    total = _seconds(created, started) + sum(served.values())
    name = str(_metadata(pod).get("name", ""))
    return Activation(created, total, told, pod=name, unknown=unknown)


def ended_sleep(
    pod: Mapping[str, Any], others: Iterable[Mapping[str, Any]], revision: Mapping[str, Any]
) -> bool:
    """Say whether a revision slept before this pod of it: it had served, and no other pod did.

    ``others`` may have the pod itself among them. What goes with a roll-out, or joins pods that
    serve already, is no wake-up: nobody waited for it.
    """
    created, served = time_of(_metadata(pod).get("creationTimestamp")), _since(revision, "Ready")
    # Within one second, which is as exact as these times are, nothing falls asleep.
    if created is None or served is None or served >= created:
        return False
    name = str(_metadata(pod).get("name", ""))
    return not any(was_there(other, created, name) for other in others)


def was_there(other: Mapping[str, Any], time: datetime, name: str) -> bool:
    """Say whether another pod was meant to serve when the pod ``name`` was created, at ``time``."""
    metadata = _metadata(other)
    created = time_of(metadata.get("creationTimestamp"))
    if created is None or (created, str(metadata.get("name", ""))) >= (time, name):
        return False
    left = time_of(metadata.get("deletionTimestamp"))
    if left is None:
        return True
    # It is the time by which it must have ended: it was told so before.
    return left - timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0) > time


def parse_report(exposition: str) -> dict[str, float]:
    """Read `REPORTED` from a model server's /metrics; what it does not tell is absent.

    The totals of several workers of a server are added up there; here is their mean.
    """
    found: dict[str, float] = {}
    workers = 1
    for line in exposition.splitlines():
        count = _WORKERS.match(line)
        workers = max(1, int(count[1])) if count is not None else workers
        sample = _SAMPLE.match(line)
        if sample is None or sample[1] not in REPORTED:
            continue
        try:
            seconds = float(sample[2])
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            found[sample[1]] = seconds
    return {name: s / workers if name == "total" else s for name, s in found.items()}


def _placing(
    created: datetime,
    scheduled: datetime,
    events: Sequence[Mapping[str, Any]],
    node: Mapping[str, Any] | None,
) -> dict[str, float]:
    """From the pod's creation to its node: a node younger than the pod was made for such pods."""
    waited = _seconds(created, scheduled)
    born = time_of(_metadata(node or {}).get("creationTimestamp"))
    if born is None or born <= created:
        return {"schedule": waited}
    triggers = (_event_time(one) for one in events if one.get("reason") == "TriggeredScaleUp")
    asked = min((one for one in triggers if one is not None), default=created)
    up = _since(node or {}, "Ready") or born
    provisioning = _seconds(
        _within(created, asked, scheduled), _within(created, max(born, up), scheduled)
    )
    return {"node": provisioning, "schedule": waited - provisioning}


def _containers(
    pod: Mapping[str, Any],
    scheduled: datetime,
    started: datetime,
    events: Sequence[Mapping[str, Any]],
) -> dict[str, float]:
    """From the node to the start of the model server's container."""
    whole = _seconds(scheduled, started)
    ended = (_container(pod, "initContainerStatuses", _INITIALIZER).get("state") or {}).get(
        "terminated"
    ) or {}
    begin, end = time_of(ended.get("startedAt")), time_of(ended.get("finishedAt"))
    fetched = _seconds(begin, end) if begin is not None and end is not None else 0.0
    pulled = min(_pulls(events), max(0.0, whole - fetched))
    return {"pull": pulled, "fetch": fetched, "container": max(0.0, whole - pulled - fetched)}


def _pulls(events: Iterable[Mapping[str, Any]]) -> float:
    """Seconds of all pulls: by the kubelet's words, or from Pulling to Pulled of a container."""
    began: dict[str, datetime] = {}
    total = 0.0
    for event in sorted(
        events, key=lambda one: _event_time(one) or datetime.max.replace(tzinfo=UTC)
    ):
        field = str((event.get("involvedObject") or {}).get("fieldPath", ""))
        time = _event_time(event)
        if event.get("reason") == "Pulling" and time is not None:
            began.setdefault(field, time)
        elif event.get("reason") == "Pulled":
            told = _PULLED.match(str(event.get("message", "")))
            start = began.pop(field, None)
            if told is not None:
                total += _duration(told[2] or told[1])
            elif start is not None and time is not None:
                total += _seconds(start, time)
    return total


def _serving(
    whole: float, report: Mapping[str, float], *, held: bool
) -> tuple[dict[str, float], tuple[str, ...]]:
    """From the container's start to the first answer, and the phases of which nothing is known.

    ``whole`` is from the container's start to the pod's being ready, to the second. Where requests
    are ``held`` until the server answers, they do not wait for that: what came after the server was
    ready is known from its first answer alone. Without a report all of it is ``process``: who made
    it may say no more.
    """
    told = {name: max(0.0, report[name]) for name in _PARTS if name in report}
    known = sum(told.values())
    if known == 0:
        return {"process": whole}, (*UNSEEN, "ready") if held else UNSEEN
    own = max(known, report.get("total", known))
    told["process"] = own - known
    # A report is exact and the pod's times are not: it may be longer than what they span.
    ready = max(0.0, whole - own)
    asked, answered = report.get("asked"), report.get("answered")
    if not held:
        return told | {"ready": min(ready, answered if answered is not None else ready)}, UNSEEN
    if asked is None or answered is None:
        return told, (*UNSEEN, "ready")
    if asked > ready + _LATE_S:
        return told | {"ready": ready}, UNSEEN
    return told | {"ready": asked, "answer": max(0.0, answered - asked)}, UNSEEN[:1]


def _metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    return obj.get("metadata") or {}


def _container(pod: Mapping[str, Any], field: str, name: str) -> Mapping[str, Any]:
    statuses: Sequence[Mapping[str, Any]] = (pod.get("status") or {}).get(field) or ()
    return next((one for one in statuses if one.get("name") == name), {})


def _since(obj: Mapping[str, Any], type_: str) -> datetime | None:
    """Since when a condition is True; None where it is not."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_ and condition.get("status") == "True":
            return time_of(condition.get("lastTransitionTime"))
    return None


def _event_time(event: Mapping[str, Any]) -> datetime | None:
    return time_of(event.get("eventTime")) or time_of(event.get("firstTimestamp"))


def time_of(text: object) -> datetime | None:
    """Read a time of the API; None where there is none, or no legible one."""
    if not isinstance(text, str) or not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _within(low: datetime, time: datetime, high: datetime) -> datetime:
    return max(low, min(time, high))


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())


def _duration(text: str) -> float:
    """Seconds of Go's notation, such as 1m2.5s."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
