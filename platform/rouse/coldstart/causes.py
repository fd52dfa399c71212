"""Why a pod of a Deployment started, as far as the API tells it. Pure.

A revision of Knative says when it served; a Deployment says nothing of having been at zero. What
tells is which other pods there were: none but a sleep leaves a Deployment without any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from rouse.coldstart.gather import time_of, was_there

__all__ = ["TEMPLATE_HASH_LABEL", "Cause", "cause_of", "deployment_of", "was_standby"]

TEMPLATE_HASH_LABEL: Final = "pod-template-hash"
_ENDED: Final = "NewReplicaSetAvailable"
_YOUNG: Final = timedelta(seconds=60)
"""A Deployment that is younger when a pod is made has not slept yet."""


class Cause(StrEnum):
    """What a pod was started for."""

    WAKE = "wake-up"
    ROLL_OUT = "roll-out"
    SCALE_UP = "scale-up"


def deployment_of(pod: Mapping[str, Any]) -> str:
    """Return the name of a pod's Deployment; empty when none owns it."""
    metadata = pod.get("metadata") or {}
    ending = f"-{_hash_of(pod)}"
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "Deployment":
            return str(owner["name"])
        if owner.get("kind") == "ReplicaSet" and str(owner["name"]).endswith(ending):
            return str(owner["name"]).removesuffix(ending)
    return ""


def cause_of(
    pod: Mapping[str, Any], others: Iterable[Mapping[str, Any]], deployment: Mapping[str, Any]
) -> Cause | None:
    """Return why a pod was started; None where its times are not known.

    ``others`` are the service's pods, the pod itself may be among them. A pod of another template
    means a roll-out, one of the same a further replica; without any the Deployment was at zero, and
    what its metric stands for was waiting: unless its last roll-out ended after the pod was made,
    for then those that it replaced are gone already. Not every engine without ReplicaSets tells a
    roll-out from scaling, so that there the pods alone say it.
    """
    metadata = pod.get("metadata") or {}
    created = time_of(metadata.get("creationTimestamp"))
    born = time_of((deployment.get("metadata") or {}).get("creationTimestamp"))
    if created is None or born is None:
        return None
    mine = [other for other in others if deployment_of(other) == deployment_of(pod)]
    there = [other for other in mine if was_there(other, created, str(metadata.get("name", "")))]
    if any(_hash_of(other) == _hash_of(pod) for other in there):
        return Cause.SCALE_UP
    if there or created - born < _YOUNG:
        return Cause.ROLL_OUT
    if _replica_sets_of(pod) and created <= _rolled_out(deployment):
        return Cause.ROLL_OUT
    return Cause.WAKE


def was_standby(pod: Mapping[str, Any]) -> bool:
    """Say whether its ReplicaSet adopted the pod: then it bears the name of another."""
    name = str((pod.get("metadata") or {}).get("name", ""))
    return any(not name.startswith(f"{one}-") for one in _replica_sets_of(pod))


def _replica_sets_of(pod: Mapping[str, Any]) -> list[str]:
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return [str(one["name"]) for one in owners if one["kind"] == "ReplicaSet"]


def _rolled_out(deployment: Mapping[str, Any]) -> datetime:
    """When the last roll-out ended, which scaling does not move; never for one that goes on."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Progressing":
            ended = time_of(condition.get("lastUpdateTime"))
            if condition.get("reason") == _ENDED and ended is not None:
                return ended
            return datetime.max.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)


def _hash_of(pod: Mapping[str, Any]) -> str:
    return str(((pod.get("metadata") or {}).get("labels") or {}).get(TEMPLATE_HASH_LABEL, ""))
