"""The status of a Deployment."""

from __future__ import annotations

from collections.abc import Sequence

from rouse.embedded.knative.replicas import Replica
from rouse.kube.objects import Object

__all__ = ["deployment_status"]


def deployment_status(
    deployment: Object, replicas: Sequence[Replica], *, wanted: int, now: str
) -> Object:
    """Counts and the conditions Available and Progressing."""
    staying = [one for one in replicas if not one.retiring]
    ready = sum(one.ready for one in staying)
    available, complete = ready >= wanted, ready == wanted == len(staying)
    before = {one["type"]: one for one in (deployment.get("status") or {}).get("conditions") or ()}
    conditions = [
        _condition(
            before.get("Available"),
            "Available",
            available,
            "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
            now,
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
        "updatedReplicas": len(staying),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
    }
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{name: count for name, count in counts.items() if count},
        "conditions": conditions,
    }


def _condition(before: Object | None, type_: str, holds: bool, reason: str, now: str) -> Object:
    status = "True" if holds else "False"
    same = before is not None and before.get("status") == status
    since = before.get("lastTransitionTime", now) if before is not None and same else now
    unchanged = before is not None and same and before.get("reason") == reason
    updated = before.get("lastUpdateTime", now) if before is not None and unchanged else now
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "lastTransitionTime": since,
        "lastUpdateTime": updated,
    }
