"""The conditions of an InferenceService, from what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import (
    INGRESS_READY,
    LATEST_DEPLOYMENT_READY,
    PREDICTOR_CONFIGURATION_READY,
    PREDICTOR_READY,
    PREDICTOR_ROUTE_READY,
    ROUTES_READY,
    Finding,
    Reason,
    condition_of,
    summarize,
)
from rouse.compiler.config import Config
from rouse.compiler.knative import template_hash
from rouse.compiler.observed import Observed, contains, settled
from rouse.compiler.rollout import Rollout

__all__ = ["observe_conditions"]

_RECONCILED = "Reconciled"
"""Istio's condition of a VirtualService that the gateways have."""


def observe_conditions(
    knative_service: Object,
    virtual_service: Object | None,
    *,
    rollout: Rollout,
    observed: Observed,
    config: Config,
) -> list[Finding]:
    """Return every condition; the first two arguments are wanted objects."""
    live = observed.knative_services.get(knative_service["metadata"]["name"])
    current = live is not None and _is_current(live, knative_service)
    latest = observed.revisions.get(rollout.latest_created)
    predictor = _mirrored(live, current, "Ready", PREDICTOR_READY, latest)
    routes = _mirrored(live, current, "RoutesReady", PREDICTOR_ROUTE_READY, latest)
    ingress = _ingress(virtual_service, observed.virtual_service, config)
    return [
        summarize([predictor, ingress]),
        predictor,
        ingress,
        routes,
        Finding(ROUTES_READY, routes.status, routes.reason, routes.message),
        _mirrored(live, current, "ConfigurationsReady", PREDICTOR_CONFIGURATION_READY, latest),
        _latest_deployment(rollout, latest, current),
    ]


def _is_current(live: Mapping[str, Any], wanted: Object) -> bool:
    """Whether the live Knative Service is the wanted one and Knative has seen it.

    The template is compared by its hash: Knative fills defaults in and writes quantities anew.
    """
    spec = live.get("spec") or {}
    same = template_hash(spec.get("template") or {}) == template_hash(wanted["spec"]["template"])
    return same and settled(live) and contains(spec.get("traffic"), wanted["spec"]["traffic"])


def _mirrored(
    live: Object | None, current: bool, theirs: str, ours: str, latest: Object | None
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
        if rollout.shares:
            serving = ", ".join(share.revision for share in rollout.shares)
            message = f"{message.rstrip('.')}. {serving} goes on serving"
        return Finding(LATEST_DEPLOYMENT_READY, "False", reason, message)
    if current and rollout.latest_ready and rollout.latest_ready == rollout.latest_created:
        return Finding(LATEST_DEPLOYMENT_READY, "True")
    name = rollout.latest_created if current else ""
    waiting = f"revision {name} is starting" if name else "a revision is being created"
    return Finding(LATEST_DEPLOYMENT_READY, "Unknown", Reason.DEPLOYING, waiting)


def _ingress(wanted: Object | None, live: Object | None, config: Config) -> Finding:
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
