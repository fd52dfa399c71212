"""Names of the wanted objects, and the hosts they answer on."""

from __future__ import annotations

import hashlib

__all__ = [
    "ACCESS_NAMESPACE_LABEL",
    "COMPONENT_LABEL",
    "GRAPH_LABEL",
    "MANAGED_BY",
    "MAX_KNATIVE_SERVICE",
    "ROUTER",
    "SERVICE_LABEL",
    "TEMPLATE_HASH",
    "TOKENS_TOO",
    "component_name",
    "owner_label",
    "revision_host",
    "service_host",
    "shorten",
]

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
GRAPH_LABEL = "serving.kserve.io/inferencegraph"
COMPONENT_LABEL = "component"
ROUTER = "router"
"""The component of an InferenceGraph, and its container."""
MANAGED_BY = {"app.kubernetes.io/managed-by": "rouse"}

TEMPLATE_HASH = "rouse.dev/template-hash"
"""Annotation of a revision template, and so of its revisions: which template they were made of."""

ACCESS_NAMESPACE_LABEL = "rouse.dev/inferenceservice-namespace"
"""Of a policy: the namespace of the InferenceService or InferenceGraph whose hosts it is for."""

TOKENS_TOO = "rouse.dev/tokens-too"
"""Of a policy that asks for keys: ``true`` where a token is as good as one."""

MAX_KNATIVE_SERVICE = 63 - len("-00001-deployment")
"""What is left for the name of a Knative Service, so that the names made from it are DNS labels."""

_HASH_LENGTH = 8


_LABELS = {"InferenceService": SERVICE_LABEL, "InferenceGraph": GRAPH_LABEL}


def owner_label(kind: str) -> str:
    """Return the label that carries the name of the InferenceService or InferenceGraph."""
    return _LABELS[kind]


def component_name(service: str, component: str, variant: str | None = None) -> str:
    """Return ``<service>-<component>``, the name of a component's Knative Service.

    ``variant`` is the predictor's own name, which makes it ``<service>-<variant>-<component>``.

    An InferenceService may have any name a host can have, as on KServe. Where the names that
    Knative derives (``-00001-deployment``, tag ``latest-``) would become longer than a DNS
    label, the service's part is shortened and a hash of it keeps it unique; the name and the
    hosts the user sees stay whole.
    """
    service = f"{service}-{variant}" if variant else service
    return shorten(service, MAX_KNATIVE_SERVICE - len(component) - 1) + f"-{component}"


def shorten(name: str, most: int) -> str:
    """Return the name, or its beginning and a hash of the whole, in at most ``most`` characters."""
    if len(name) <= most:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{name[: most - _HASH_LENGTH - 1].rstrip('-')}-{digest}"


def service_host(name: str, namespace: str, cluster_domain: str) -> str:
    """Return the cluster-local host of a Service."""
    return f"{name}.{namespace}.svc.{cluster_domain}"


def revision_host(revision: str, namespace: str, cluster_domain: str) -> str:
    """Return the host of a revision: that of the Service Knative makes for it."""
    return service_host(revision, namespace, cluster_domain)
