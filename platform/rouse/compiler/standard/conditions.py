"""What is found of a component in the mode Standard: its Deployment tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import (
    EXPLAINER_READY,
    LATEST_DEPLOYMENT_READY,
    PREDICTOR_READY,
    TRANSFORMER_READY,
    Finding,
    Reason,
    condition_of,
    summarize,
)
from rouse.compiler.component import EXPLAINER, PREDICTOR, TRANSFORMER
from rouse.compiler.observed import Observed, settled
from rouse.compiler.standard.deployment import spec_hash

__all__ = ["DeploymentFindings", "observe_deployment", "observe_workload"]

_TYPES = {PREDICTOR: PREDICTOR_READY, TRANSFORMER: TRANSFORMER_READY, EXPLAINER: EXPLAINER_READY}


@dataclass(frozen=True, slots=True)
class DeploymentFindings:
    """What is found of one component."""

    ready: Finding
    """Whether enough replicas serve, new or old ones."""
    latest: Finding
    """LatestDeploymentReady: whether all of them are of the latest template."""
    replicas: int
    """That are ready."""

    def beside(self, workers: DeploymentFindings) -> DeploymentFindings:
        """Return the findings of a head with its workers: neither serves without the other."""
        return DeploymentFindings(
            summarize([self.ready, _of_workers(workers.ready)], self.ready.type),
            summarize([self.latest, _of_workers(workers.latest)], LATEST_DEPLOYMENT_READY),
            self.replicas,
        )


def observe_deployment(component: str, wanted: Object, observed: Observed) -> DeploymentFindings:
    """Return what is found of a component whose wanted Deployment is given."""
    return observe_workload(_TYPES[component], wanted, observed)


def observe_workload(type_: str, wanted: Object, observed: Observed) -> DeploymentFindings:
    """Return what is found of a wanted Deployment, by the type of the condition that tells it."""
    live = observed.deployments.get(wanted["metadata"]["name"])
    waiting = _waits(live, wanted)
    if live is None or waiting:
        return DeploymentFindings(
            Finding(type_, "Unknown", Reason.DEPLOYING, waiting),
            Finding(LATEST_DEPLOYMENT_READY, "Unknown", Reason.DEPLOYING, waiting),
            0,
        )
    ready = int((live.get("status") or {}).get("readyReplicas") or 0)
    return DeploymentFindings(_available(type_, live), _latest(live), ready)


def _of_workers(finding: Finding) -> Finding:
    return replace(finding, message=f"workers: {finding.message}" if finding.message else "")


def _waits(live: Mapping[str, Any] | None, wanted: Object) -> str:
    if live is None:
        return "the Deployment is being created"
    if spec_hash(live) != spec_hash(wanted) or not settled(live):
        return "the Deployment has not taken up the latest change yet"
    return ""


def _available(type_: str, live: Mapping[str, Any]) -> Finding:
    available = condition_of(live, "Available")
    if available.get("status") == "True":
        return Finding(type_, "True")
    failure = _failure(live)
    if failure:
        reason, message = failure.get("reason", ""), failure.get("message", "")
        return Finding(type_, "False", reason or Reason.REVISION_FAILED, message)
    message = available.get("message") or "the replicas are starting"
    reason = available.get("reason") or Reason.DEPLOYING
    return Finding(type_, "False" if available else "Unknown", reason, message)


def _latest(live: Mapping[str, Any]) -> Finding:
    failure = _failure(live)
    if failure:
        message = f"the latest template failed: {failure.get('message', '')}".rstrip()
        if condition_of(live, "Available").get("status") == "True":
            message = f"{message.rstrip('.')}. The replicas before go on serving"
        reason = failure.get("reason") or Reason.REVISION_FAILED
        return Finding(LATEST_DEPLOYMENT_READY, "False", reason, message)
    status = live.get("status") or {}
    wanted = int(live["spec"].get("replicas", 1))
    updated, available = (
        int(status.get(field) or 0) for field in ("updatedReplicas", "availableReplicas")
    )
    old = int(status.get("replicas") or 0) - updated
    if updated >= wanted and available >= wanted and old <= 0:
        return Finding(LATEST_DEPLOYMENT_READY, "True")
    message = f"{updated} of {wanted} replicas are of the latest template, {available} serve"
    return Finding(LATEST_DEPLOYMENT_READY, "Unknown", Reason.DEPLOYING, message)


def _failure(live: Mapping[str, Any]) -> Object:
    """Return the condition that says why the rollout does not go on; empty when it does."""
    stuck = condition_of(live, "Progressing")
    if stuck.get("status") == "False":
        return stuck
    refused = condition_of(live, "ReplicaFailure")
    return refused if refused.get("status") == "True" else {}
