"""The status of a Revision and of its PodAutoscaler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rouse.autoscaler import Activity
from rouse.coldstart import ANNOTATION, Activation
from rouse.embedded.knative import names
from rouse.embedded.knative.conditions import FALSE, TRUE, UNKNOWN, Conditions
from rouse.embedded.knative.failures import Failure
from rouse.kube.objects import Object

__all__ = ["Observed", "invalid_revision_status", "pod_autoscaler_status", "revision_status"]

RESOURCES_AVAILABLE: Final = "ResourcesAvailable"
CONTAINER_HEALTHY: Final = "ContainerHealthy"
ACTIVE: Final = "Active"

DEPLOYING: Final = "Deploying"
NO_TRAFFIC: Final = "NoTraffic"
QUEUED: Final = "Queued"
TIMED_OUT: Final = "TimedOut"
PROGRESS_DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the engine knows of a revision at this moment.

    ``want`` is None while the autoscaler has no opinion. ``problem`` is anything that went wrong
    with a replica, ``failure`` only what it will not recover from by itself for now. ``late``: no
    replica became ready within the progress deadline.
    """

    activity: Activity
    want: int | None
    ready: int
    initialized: bool
    timed_out: bool = False
    late: bool = False
    problem: Failure | None = None
    failure: Failure | None = None
    activation: Activation | None = None


def revision_status(revision: Object, seen: Observed, *, now: str) -> Object:
    """The Revision's conditions, counts and last cold start."""
    before = revision.get("status") or {}
    conditions = _conditions(before, now)
    _mark_health(conditions, seen)
    _mark_active(conditions, seen)
    status = _framed(revision, conditions)
    status["containerStatuses"] = [
        {"name": one.get("name", ""), "imageDigest": one.get("image", "")}
        for one in revision["spec"]["containers"]
    ]
    status["actualReplicas"] = seen.ready
    if seen.want is not None:
        status["desiredReplicas"] = seen.want
    elif "desiredReplicas" in before:
        status["desiredReplicas"] = before["desiredReplicas"]
    annotations = dict(before.get("annotations") or {})
    if seen.activation is not None:
        annotations[ANNOTATION] = seen.activation.to_json()
    if annotations:
        status["annotations"] = annotations
    return status


def invalid_revision_status(revision: Object, why: str, *, now: str) -> Object:
    """The status of a Revision that cannot be run as it is."""
    conditions = _conditions(revision.get("status") or {}, now)
    conditions.mark(RESOURCES_AVAILABLE, FALSE, "InvalidArgument", why)
    return _framed(revision, conditions)


def _conditions(before: Object, now: str) -> Conditions:
    return Conditions(
        before.get("conditions") or (),
        parts=(RESOURCES_AVAILABLE, CONTAINER_HEALTHY),
        notes=(ACTIVE,),
        now=now,
    )


def _framed(revision: Object, conditions: Conditions) -> Object:
    return {
        "observedGeneration": revision["metadata"].get("generation", 1),
        "conditions": conditions.render(),
    }


def _mark_health(conditions: Conditions, seen: Observed) -> None:
    """Healthy once proven; unhealthy again only when no replica recovers by itself."""
    wrong = seen.failure if seen.initialized else seen.problem
    if wrong is not None and seen.ready == 0:
        if wrong.exit_code is not None:
            message = f"Container failed with: {wrong.message}"
            conditions.mark(CONTAINER_HEALTHY, FALSE, wrong.reason, message)
        else:
            conditions.mark(RESOURCES_AVAILABLE, FALSE, wrong.reason, wrong.message)
    elif seen.initialized and seen.ready:
        conditions.mark(CONTAINER_HEALTHY, TRUE)
        conditions.mark(RESOURCES_AVAILABLE, TRUE)
    elif seen.late and not seen.initialized and not _is_false(conditions):
        message = "Initial scale was never achieved"
        conditions.mark(RESOURCES_AVAILABLE, FALSE, PROGRESS_DEADLINE_EXCEEDED, message)
    elif seen.initialized and conditions.status(CONTAINER_HEALTHY) == UNKNOWN:
        # Initial scale zero: nothing was ever started, and nothing is wrong.
        conditions.mark(CONTAINER_HEALTHY, TRUE)
        conditions.mark(RESOURCES_AVAILABLE, TRUE)
    elif not seen.initialized:
        for part in (CONTAINER_HEALTHY, RESOURCES_AVAILABLE):
            if conditions.status(part) == UNKNOWN:
                conditions.mark(part, UNKNOWN, DEPLOYING)


def _is_false(conditions: Conditions) -> bool:
    """Whether it is known already what is wrong."""
    return FALSE in {conditions.status(CONTAINER_HEALTHY), conditions.status(RESOURCES_AVAILABLE)}


def _mark_active(conditions: Conditions, seen: Observed) -> None:
    if seen.activity is Activity.ACTIVE:
        conditions.mark(ACTIVE, TRUE)
    elif seen.activity is Activity.ACTIVATING:
        message = "Requests to the target are being buffered as resources are provisioned."
        conditions.mark(ACTIVE, UNKNOWN, QUEUED, message)
    elif seen.timed_out:
        conditions.mark(ACTIVE, FALSE, TIMED_OUT, "The target could not be activated.")
    else:
        conditions.mark(ACTIVE, FALSE, NO_TRAFFIC, "The target is not receiving traffic.")


def pod_autoscaler_status(autoscaler: Object, seen: Observed, *, now: str) -> Object:
    """The PodAutoscaler's conditions and scales; -1 stands for a scale not known yet."""
    before = autoscaler.get("status") or {}
    name = autoscaler["metadata"]["name"]
    conditions = Conditions(
        before.get("conditions") or (),
        parts=(ACTIVE, "SKSReady", "ScaleTargetInitialized"),
        now=now,
    )
    _mark_active(conditions, seen)
    if seen.ready:
        conditions.mark("SKSReady", TRUE)
    elif conditions.status("SKSReady") == UNKNOWN:
        conditions.mark("SKSReady", UNKNOWN, "NoHealthyBackends", "No replica is ready.")
    if seen.initialized:
        conditions.mark("ScaleTargetInitialized", TRUE)
    return {
        "observedGeneration": autoscaler["metadata"].get("generation", 1),
        "conditions": conditions.render(),
        "desiredScale": -1 if seen.want is None else seen.want,
        "actualScale": seen.ready,
        "serviceName": name,
        "metricsServiceName": names.private_name(name),
    }
