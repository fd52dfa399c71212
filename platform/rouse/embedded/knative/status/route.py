"""The status of a Route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rouse.embedded.knative.conditions import TRUE, UNKNOWN, Conditions
from rouse.embedded.knative.make.ingress import hosts_of
from rouse.embedded.knative.traffic import Resolution, Target
from rouse.kube.objects import Object

__all__ = ["route_status"]

ALL_TRAFFIC_ASSIGNED: Final = "AllTrafficAssigned"
CERTIFICATE_PROVISIONED: Final = "CertificateProvisioned"
INGRESS_READY: Final = "IngressReady"


def route_status(
    route: Object,
    resolution: Resolution,
    served: Sequence[Target],
    *,
    effective: bool,
    domain: str,
    now: str,
) -> Object:
    """``served`` is what the gateway is told; ``effective`` whether it already does so."""
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
    if effective:
        conditions.mark(INGRESS_READY, TRUE)
    else:
        message = "Waiting for the gateway to route to the revisions."
        conditions.mark(INGRESS_READY, UNKNOWN, "Uninitialized", message)
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
