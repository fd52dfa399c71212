"""The status of a Route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rouse.embedded.knative.conditions import FALSE, TRUE, UNKNOWN, Conditions, status_of
from rouse.embedded.knative.make.ingress import hosts_of
from rouse.embedded.knative.traffic import Resolution, Target
from rouse.kube.objects import Object

__all__ = ["route_status"]

ALL_TRAFFIC_ASSIGNED: Final = "AllTrafficAssigned"
CERTIFICATE_PROVISIONED: Final = "CertificateProvisioned"
INGRESS_READY: Final = "IngressReady"
_RECONCILED: Final = "Reconciled"
"""The condition of a VirtualService that the gateway follows."""


def route_status(
    route: Object,
    resolution: Resolution,
    served: Sequence[Target],
    *,
    virtual_service: Object | None,
    domain: str,
    now: str,
) -> Object:
    """``served`` is what the gateway is told by ``virtual_service``, which says if it does so."""
    before = route.get("status") or {}
    conditions = Conditions(
        before.get("conditions") or (),
        parts=(ALL_TRAFFIC_ASSIGNED, CERTIFICATE_PROVISIONED, INGRESS_READY),
        now=now,
    )
    message = "autoTLS is not enabled"
    conditions.mark(CERTIFICATE_PROVISIONED, TRUE, "TLSNotEnabled", message)
    if resolution.targets is None:
        conditions.mark(
            ALL_TRAFFIC_ASSIGNED, resolution.status, resolution.reason, resolution.message
        )
    else:
        conditions.mark(ALL_TRAFFIC_ASSIGNED, TRUE)
    _mark_ingress(conditions, virtual_service)
    inside = hosts_of(route, "", domain)[0]
    status: Object = {
        "observedGeneration": route["metadata"].get("generation", 1),
        "conditions": conditions.render(),
        "url": _url(route, "", domain),
        "address": {"url": f"http://{inside}"},
    }
    traffic = [_target(route, one, domain) for one in served]
    if traffic:
        status["traffic"] = traffic
    return status


def _mark_ingress(conditions: Conditions, virtual_service: Object | None) -> None:
    """As the mesh says, provided that it speaks of the present generation."""
    found = virtual_service or {}
    status = found.get("status") or {}
    state, reason, message = status_of(status.get("conditions") or (), _RECONCILED)
    if status.get("observedGeneration") == found.get("metadata", {}).get("generation"):
        if state == TRUE:
            conditions.mark(INGRESS_READY, TRUE)
            return
        if state == FALSE:
            conditions.mark(INGRESS_READY, FALSE, reason, message)
            return
    message = "Waiting for the gateway to route to the revisions."
    conditions.mark(INGRESS_READY, UNKNOWN, "Uninitialized", message)


def _target(route: Object, target: Target, domain: str) -> Object:
    entry: Object = {
        "revisionName": target.revision,
        "latestRevision": target.latest,
        "percent": target.percent,
    }
    if target.tag:
        entry |= {"tag": target.tag, "url": _url(route, target.tag, domain)}
    return entry


def _url(route: Object, tag: str, domain: str) -> str:
    """The address from outside, or from inside where there is no other."""
    return f"http://{hosts_of(route, tag, domain)[-1]}"
