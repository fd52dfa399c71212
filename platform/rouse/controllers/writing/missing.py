"""Kinds the cluster does not have: what to install, or how to do without. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rouse.errors import NotFoundError, RejectedError

__all__ = ["MissingKindError", "explain_missing"]

_ADVICE: Final[Mapping[str, str]] = {
    "cert-manager.io": "install cert-manager, or remove tlsIssuer from the ConfigMap rouse-config",
    "keda.sh": (
        "install KEDA, or set the annotation serving.kserve.io/autoscalerClass to hpa or none"
    ),
    "opentelemetry.io": (
        "install the OpenTelemetry operator, or scale on External metrics instead of PodMetric"
    ),
    "serving.knative.dev": (
        "install Knative Serving, or set serving.kserve.io/deploymentMode to Standard"
    ),
    "networking.istio.io": (
        "install Istio, or set disableIngressCreation in the ConfigMap rouse-config"
    ),
}


class MissingKindError(RejectedError):
    """The API serves no such kind: nothing helps but installing it, or doing without."""


def explain_missing(wanted: Mapping[str, Any], error: NotFoundError) -> MissingKindError | None:
    """Tell a kind that is not served from a namespace that is gone; None for the latter."""
    version, kind = wanted["apiVersion"], wanted["kind"]
    advice = _ADVICE.get(version.partition("/")[0])
    if advice is None or "namespace" in error.message:
        return None
    message = f"the API has no {kind} ({version}): {advice}"
    return MissingKindError(message, status=error.status, reason=error.reason)
