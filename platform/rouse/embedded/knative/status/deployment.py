"""The status of a Deployment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rouse.embedded.knative.failures import FAILED_CREATE
from rouse.embedded.knative.replicas import Replica
from rouse.embedded.knative.rolling import is_paused, strategy_of
from rouse.kube.objects import Object

__all__ = ["deployment_status"]

_FAILURE = "ReplicaFailure"
_COMPLETE = "NewReplicaSetAvailable"
_UPDATING = "ReplicaSetUpdated"
_LATE = "ProgressDeadlineExceeded"
_PAUSED = "DeploymentPaused"


def deployment_status(
    deployment: Object,
    replicas: Sequence[Replica],
    *,
    wanted: int,
    now: str,
    updated: int | None = None,
    available: int | None = None,
    problem: str = "",
    refused: str = "",
    deadline_s: float | None = None,
) -> Object:
    """Counts and the conditions Available and Progressing, and ReplicaFailure where there is one.

    ``updated`` is how many replicas are of the present template, by default all; ``available`` how
    many have been ready for long enough, by default all that are ready. ``problem`` is what keeps
    replicas from running, ``refused`` why the API takes no pod. ``deadline_s`` is how many seconds
    a rollout may be without progress; None where somebody else watches that.
    """
    staying = [one for one in replicas if not one.retiring]
    updated = len(staying) if updated is None else updated
    ready = sum(one.ready for one in staying)
    available = ready if available is None else available
    least = wanted - strategy_of(deployment, wanted).unavailable
    enough = available >= least
    complete = available == wanted == len(staying) == updated
    known = deployment.get("status") or {}
    generation = deployment["metadata"].get("generation", 1)
    moved = known.get("observedGeneration") != generation or any(
        count > known.get(field, 0)
        for field, count in (
            ("updatedReplicas", updated),
            ("readyReplicas", ready),
            ("availableReplicas", available),
        )
    )
    before = {one["type"]: one for one in (deployment.get("status") or {}).get("conditions") or ()}
    conditions = [
        _condition(
            before.get("Available"),
            "Available",
            enough,
            "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            now,
            problem,
        ),
        _progressing(deployment, before.get("Progressing"), complete, moved, now, deadline_s),
    ]
    if refused:
        failure = before.get(_FAILURE)
        conditions.append(_condition(failure, _FAILURE, True, FAILED_CREATE, now, refused))
    counts = {
        "replicas": len(staying),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    return {
        "observedGeneration": generation,
        **{name: count for name, count in counts.items() if count},
        "conditions": conditions,
    }


def _progressing(
    deployment: Object,
    before: Object | None,
    complete: bool,
    moved: bool,
    now: str,
    deadline_s: float | None,
) -> Object:
    """Kubernetes' rule: what was complete once and changes no more is never late."""
    type_ = "Progressing"
    if is_paused(deployment):
        return _condition(before, type_, None, _PAUSED, now, "Deployment is paused")
    if complete or (before is not None and before["reason"] == _COMPLETE and not moved):
        return _condition(before, type_, True, _COMPLETE, now)
    if moved or before is None:
        # Counted from now on: the time of the last change is that of the last progress.
        again = None if before is None else {**before, "reason": ""}
        return _condition(again, type_, True, _UPDATING, now)
    waited = _seconds(before.get("lastUpdateTime", now), now)
    if before["reason"] == _LATE or (deadline_s is not None and waited >= deadline_s):
        message = f'Deployment "{deployment["metadata"]["name"]}" has timed out progressing.'
        return _condition(before, type_, False, _LATE, now, message)
    return _condition(before, type_, True, _UPDATING, now)


def _seconds(since: str, now: str) -> float:
    return (datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()


def _condition(
    before: Object | None, type_: str, holds: bool | None, reason: str, now: str, message: str = ""
) -> Object:
    status = {True: "True", False: "False", None: "Unknown"}[holds]
    same = before is not None and before.get("status") == status
    since = before.get("lastTransitionTime", now) if before is not None and same else now
    unchanged = before is not None and same and before.get("reason") == reason
    updated = before.get("lastUpdateTime", now) if before is not None and unchanged else now
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        **({"message": message} if message else {}),
        "lastTransitionTime": since,
        "lastUpdateTime": updated,
    }
