"""The status of a Deployment."""

from __future__ import annotations

from collections.abc import Sequence

from rouse.embedded.knative.replicas import Replica
from rouse.embedded.knative.rolling import strategy_of
from rouse.kube.objects import Object

__all__ = ["deployment_status"]


def deployment_status(
    deployment: Object,
    replicas: Sequence[Replica],
    *,
    wanted: int,
    now: str,
    updated: int | None = None,
    problem: str = "",
) -> Object:
    """Counts and the conditions Available and Progressing.

    ``updated`` is how many replicas are of the present template, by default all. ``problem`` is
    what keeps replicas from running.
    """
    staying = [one for one in replicas if not one.retiring]
    updated = len(staying) if updated is None else updated
    ready = sum(one.ready for one in staying)
    least = wanted - strategy_of(deployment, wanted).unavailable
    available = ready >= least
    complete = ready == wanted == len(staying) == updated
    before = {one["type"]: one for one in (deployment.get("status") or {}).get("conditions") or ()}
    conditions = [
        _condition(
            before.get("Available"),
            "Available",
            available,
            "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
            now,
            problem,
        ),
        _condition(
            before.get("Progressing"),
            "Progressing",
            True,
            "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated",
            now,
        ),
    ]
    counts = {
        "replicas": len(staying),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
    }
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{name: count for name, count in counts.items() if count},
        "conditions": conditions,
    }


def _condition(
    before: Object | None, type_: str, holds: bool, reason: str, now: str, message: str = ""
) -> Object:
    status = "True" if holds else "False"
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
