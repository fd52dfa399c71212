"""In which order objects are applied: what others need comes first, what can refuse comes last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, Final

from rouse.kube.objects import Object

__all__ = ["Stage", "stage_of", "stages"]


class Stage(IntEnum):
    """The stages of an installation, in order; removal goes the other way."""

    NAMESPACES = 1
    DEFINITIONS = 2
    ACCESS = 3
    SETTINGS = 4
    NETWORK = 5
    WORKLOADS = 6
    CONTENTS = 7
    """Objects of the kinds defined before, which the running webhook checks on an upgrade."""
    WEBHOOKS = 8
    """Once they are there, the API refuses what they cannot check: only when they answer."""

    def __str__(self) -> str:
        return self.name.lower()


_STAGES: Final[Mapping[str, Stage]] = {
    "Namespace": Stage.NAMESPACES,
    "CustomResourceDefinition": Stage.DEFINITIONS,
    "ServiceAccount": Stage.ACCESS,
    "ClusterRole": Stage.ACCESS,
    "ClusterRoleBinding": Stage.ACCESS,
    "Role": Stage.ACCESS,
    "RoleBinding": Stage.ACCESS,
    "PriorityClass": Stage.ACCESS,
    "ConfigMap": Stage.SETTINGS,
    "Secret": Stage.SETTINGS,
    "Issuer": Stage.SETTINGS,
    "Certificate": Stage.SETTINGS,
    "Service": Stage.NETWORK,
    "Gateway": Stage.NETWORK,
    "NetworkPolicy": Stage.NETWORK,
    "PeerAuthentication": Stage.NETWORK,
    "PodDisruptionBudget": Stage.NETWORK,
    "Deployment": Stage.WORKLOADS,
    "DaemonSet": Stage.WORKLOADS,
    "StatefulSet": Stage.WORKLOADS,
    "ValidatingWebhookConfiguration": Stage.WEBHOOKS,
    "MutatingWebhookConfiguration": Stage.WEBHOOKS,
}


def stage_of(kind: str) -> Stage:
    """Return the stage of a kind."""
    return _STAGES.get(kind, Stage.CONTENTS)


def stages(objects: Iterable[Mapping[str, Any]]) -> dict[Stage, list[Object]]:
    """Return the objects by stage, in the stages' order; within one they keep their own."""
    found: dict[Stage, list[Object]] = {stage: [] for stage in Stage}
    for obj in objects:
        found[stage_of(obj["kind"])].append(dict(obj))
    return {stage: each for stage, each in found.items() if each}
