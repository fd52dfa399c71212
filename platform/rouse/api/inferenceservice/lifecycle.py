"""The conditions of an InferenceService and how they depend on each other.

``Ready`` is ``PredictorReady`` and ``IngressReady``, and ``TransformerReady`` and
``ExplainerReady`` where there are such components.
The other conditions inform; they have severity Info.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rouse.api.base import Object

__all__ = [
    "CANARY_PREDICTOR_READY",
    "COLD_START_WITHIN_BUDGET",
    "EXPLAINER_CONFIGURATION_READY",
    "EXPLAINER_READY",
    "EXPLAINER_ROUTE_READY",
    "INGRESS_READY",
    "LATEST_DEPLOYMENT_READY",
    "PREDICTOR_CONFIGURATION_READY",
    "PREDICTOR_READY",
    "PREDICTOR_ROUTE_READY",
    "READY",
    "ROUTES_READY",
    "STOPPED",
    "TRANSFORMER_CONFIGURATION_READY",
    "TRANSFORMER_READY",
    "TRANSFORMER_ROUTE_READY",
    "Finding",
    "Reason",
    "condition_of",
    "set_conditions",
    "summarize",
]

READY = "Ready"
PREDICTOR_READY = "PredictorReady"
TRANSFORMER_READY = "TransformerReady"
EXPLAINER_READY = "ExplainerReady"
INGRESS_READY = "IngressReady"
PREDICTOR_ROUTE_READY = "PredictorRouteReady"
PREDICTOR_CONFIGURATION_READY = "PredictorConfigurationReady"
TRANSFORMER_ROUTE_READY = "TransformerRouteReady"
TRANSFORMER_CONFIGURATION_READY = "TransformerConfigurationReady"
EXPLAINER_ROUTE_READY = "ExplainerRoutesReady"
"""With an s, as on KServe."""
EXPLAINER_CONFIGURATION_READY = "ExplainerConfigurationReady"
LATEST_DEPLOYMENT_READY = "LatestDeploymentReady"
ROUTES_READY = "RoutesReady"
STOPPED = "Stopped"
CANARY_PREDICTOR_READY = "CanaryPredictorReady"
"""Of all canaries of the mode Standard."""
COLD_START_WITHIN_BUDGET = "ColdStartWithinBudget"
"""Of services with the annotation rouse.dev/coldstart-budget."""

DECIDING = frozenset({READY, PREDICTOR_READY, TRANSFORMER_READY, EXPLAINER_READY, INGRESS_READY})

Truth = Literal["True", "False", "Unknown"]


class Reason:
    """Why a condition is what it is; where Knative gives a reason, that one is kept."""

    CANARIES_NOT_READY = "CanariesNotReady"
    CANARIES_READY = "AllCanariesReady"
    DEPLOYING = "Deploying"
    INGRESS_NOT_CONFIGURED = "IngressNotConfigured"
    INGRESS_REFUSED = "IngressRefused"
    INVALID_SPEC = "InvalidPredictorSpec"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    NO_COLD_STARTS = "NoColdStarts"
    NO_SUPPORTING_RUNTIME = "NoSupportingRuntime"
    OVER_BUDGET = "OverBudget"
    REVISION_FAILED = "RevisionFailed"
    RUNTIME_DISABLED = "RuntimeDisabled"
    RUNTIME_NOT_RECOGNIZED = "RuntimeNotRecognized"
    RUNTIME_UNHEALTHY = "RuntimeUnhealthy"
    STOPPED = "Stopped"
    WAITING_FOR_REVISION = "WaitingForRevision"
    WITHIN_BUDGET = "WithinBudget"


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition without its time."""

    type: str
    status: Truth
    reason: str = ""
    message: str = ""


def condition_of(obj: Mapping[str, Any] | None, type_: str) -> Object:
    """Return the condition of that type in an object's status; empty when it is not there."""
    conditions: Iterable[Object] = ((obj or {}).get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == type_), {})


def summarize(parts: Sequence[Finding], type_: str = READY) -> Finding:
    """Return Ready (or another type): False as soon as one part is, then Unknown, else True."""
    for status in ("False", "Unknown"):
        for part in parts:
            if part.status == status:
                return Finding(type_, part.status, part.reason, part.message)
    return Finding(type_, "True")


def set_conditions(
    findings: Iterable[Finding],
    previous: Iterable[Mapping[str, Any]],
    now: str,
    deciding: Collection[str] = DECIDING,
) -> list[Object]:
    """Return conditions sorted by type; the time of one whose status is the same stays.

    ``now`` is RFC 3339 in UTC. Those that are not ``deciding`` have severity Info.
    """
    before = {str(c.get("type")): c for c in previous}
    return [
        _condition(f, before.get(f.type, {}), now, informs=f.type not in deciding)
        for f in sorted(findings, key=_type)
    ]


def _type(finding: Finding) -> str:
    return finding.type


def _condition(finding: Finding, before: Mapping[str, Any], now: str, *, informs: bool) -> Object:
    same = before.get("status") == finding.status and before.get("lastTransitionTime")
    condition = {
        "type": finding.type,
        "status": finding.status,
        "lastTransitionTime": before["lastTransitionTime"] if same else now,
    }
    if finding.reason:
        condition["reason"] = finding.reason
    if finding.message:
        condition["message"] = finding.message
    if informs:
        condition["severity"] = "Info"
    return condition
