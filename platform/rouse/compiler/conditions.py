"""The conditions of an InferenceService, from what was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import (
    EXPLAINER_CONFIGURATION_READY,
    EXPLAINER_READY,
    EXPLAINER_ROUTE_READY,
    INGRESS_READY,
    LATEST_DEPLOYMENT_READY,
    PREDICTOR_CONFIGURATION_READY,
    PREDICTOR_READY,
    PREDICTOR_ROUTE_READY,
    ROUTES_READY,
    TRANSFORMER_CONFIGURATION_READY,
    TRANSFORMER_READY,
    TRANSFORMER_ROUTE_READY,
    Finding,
    Reason,
    condition_of,
    summarize,
)
from rouse.compiler.component import EXPLAINER, PREDICTOR, TRANSFORMER
from rouse.compiler.config import Config
from rouse.compiler.knative import template_hash
from rouse.compiler.observed import Observed, contains, settled
from rouse.compiler.part import Part
from rouse.compiler.rollout import Rollout

__all__ = [
    "PartFindings",
    "is_current",
    "mirrored",
    "observe_ingress",
    "observe_part",
    "summarize_parts",
]

_RECONCILED = "Reconciled"
"""Istio's condition of a VirtualService that the gateways have."""

# Component -> what its condition is called: ready, route, configuration.
_TYPES = {
    PREDICTOR: (PREDICTOR_READY, PREDICTOR_ROUTE_READY, PREDICTOR_CONFIGURATION_READY),
    TRANSFORMER: (TRANSFORMER_READY, TRANSFORMER_ROUTE_READY, TRANSFORMER_CONFIGURATION_READY),
    EXPLAINER: (EXPLAINER_READY, EXPLAINER_ROUTE_READY, EXPLAINER_CONFIGURATION_READY),
}


@dataclass(frozen=True, slots=True)
class PartFindings:
    """What is found of one component."""

    ready: Finding
    route: Finding
    configuration: Finding
    latest: Finding
    """LatestDeploymentReady, as far as this component goes."""


def summarize_parts(parts: Sequence[PartFindings], ingress: Finding) -> list[Finding]:
    """Return every condition of the InferenceService."""
    return [
        summarize([*(part.ready for part in parts), ingress]),
        ingress,
        summarize([part.route for part in parts], ROUTES_READY),
        summarize([part.latest for part in parts], LATEST_DEPLOYMENT_READY),
        *(each for part in parts for each in (part.ready, part.route, part.configuration)),
    ]


def observe_part(part: Part, observed: Observed) -> PartFindings:
    """Return what is found of a component."""
    live = observed.knative_services.get(part.resolved.name)
    current = live is not None and is_current(live, part.service)
    latest = observed.revisions.get(part.rollout.latest_created)
    ready, route, configuration = _TYPES[part.resolved.component]
    return PartFindings(
        mirrored(live, current, "Ready", ready, latest),
        mirrored(live, current, "RoutesReady", route, latest),
        mirrored(live, current, "ConfigurationsReady", configuration, latest),
        _latest_deployment(part.rollout, latest, current),
    )


def is_current(live: Mapping[str, Any], wanted: Object) -> bool:
    """Whether the live Knative Service is the wanted one and Knative has seen it.

    The template is compared by its hash: Knative fills defaults in and writes quantities anew.
    """
    spec = live.get("spec") or {}
    same = template_hash(spec.get("template") or {}) == template_hash(wanted["spec"]["template"])
    return same and settled(live) and contains(spec.get("traffic"), wanted["spec"]["traffic"])


def mirrored(
    live: Object | None, current: bool, theirs: str, ours: str, latest: Object | None = None
) -> Finding:
    """Return Knative's condition under our name; Unknown while it tells of an older spec."""
    if live is None:
        return Finding(ours, "Unknown", Reason.DEPLOYING, "the Knative Service is being created")
    if not current:
        message = "Knative has not taken up the latest change yet"
        return Finding(ours, "Unknown", Reason.DEPLOYING, message)
    condition = condition_of(live, theirs)
    status = condition.get("status", "Unknown")
    if status == "True":
        return Finding(ours, "True")
    reason, message = condition.get("reason", ""), condition.get("message", "")
    revision = condition_of(latest, "Ready")
    if theirs != "RoutesReady" and revision.get("status") == status:
        # The revision knows more than "Revision ... failed": the last lines of its log.
        message = revision.get("message") or message
    return Finding(ours, status, reason or Reason.DEPLOYING, message)


def _latest_deployment(rollout: Rollout, latest: Object | None, current: bool) -> Finding:
    ready = condition_of(latest, "Ready")
    if current and ready.get("status") == "False":
        reason = ready.get("reason") or Reason.REVISION_FAILED
        message = f"revision {rollout.latest_created} failed: {ready.get('message', '')}".rstrip()
        others = [
            share.revision for share in rollout.shares if share.revision != rollout.latest_created
        ]
        if others:
            sentence = message if message.endswith((".", "?", "!")) else f"{message}."
            message = f"{sentence} {', '.join(others)} goes on serving"
        return Finding(LATEST_DEPLOYMENT_READY, "False", reason, message)
    if current and rollout.latest_ready and rollout.latest_ready == rollout.latest_created:
        return Finding(LATEST_DEPLOYMENT_READY, "True")
    name = rollout.latest_created if current else ""
    waiting = f"revision {name} is starting" if name else "a revision is being created"
    return Finding(LATEST_DEPLOYMENT_READY, "Unknown", Reason.DEPLOYING, waiting)


def observe_ingress(wanted: Object | None, live: Object | None, config: Config) -> Finding:
    """Return IngressReady; ``wanted`` is the VirtualService, None where nothing can be routed."""
    if wanted is None:
        message = "no revision is ready to take requests yet"
        return Finding(INGRESS_READY, "Unknown", Reason.WAITING_FOR_REVISION, message)
    if live is None or not contains(live.get("spec"), wanted["spec"]):
        message = "the VirtualService is being written"
        return Finding(INGRESS_READY, "Unknown", Reason.INGRESS_NOT_CONFIGURED, message)
    reconciled = condition_of(live, _RECONCILED)
    if not reconciled and config.ingress_status == "optional":
        return Finding(INGRESS_READY, "True")
    if reconciled.get("status") == "False" and settled(live):
        reason = reconciled.get("reason") or Reason.INGRESS_REFUSED
        return Finding(INGRESS_READY, "False", reason, reconciled.get("message", ""))
    if reconciled.get("status") == "True" and settled(live):
        return Finding(INGRESS_READY, "True")
    message = "the gateways do not have the VirtualService yet"
    return Finding(INGRESS_READY, "Unknown", Reason.INGRESS_NOT_CONFIGURED, message)
