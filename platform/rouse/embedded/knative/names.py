"""Names, labels and annotations of Knative Serving's objects, as the genuine one gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from rouse.kube.objects import Key

__all__ = [
    "APP_LABEL",
    "CLUSTER_DOMAIN",
    "CLUSTER_LOCAL",
    "CONFIGURATION_LABEL",
    "CONFIGURATION_UID_LABEL",
    "GENERATION_LABEL",
    "GROUP",
    "INGRESS_GATEWAY",
    "LOCAL_GATEWAY",
    "NAMESPACE_HEADER",
    "NODE_NAME",
    "POD_SUFFIX_ALPHABET",
    "PROGRESS_DEADLINE",
    "REVISION_HEADER",
    "REVISION_LABEL",
    "REVISION_UID_LABEL",
    "ROUTES_ANNOTATION",
    "ROUTE_LABEL",
    "ROUTING_MODIFIED",
    "ROUTING_STATE_LABEL",
    "SERVICE_LABEL",
    "SERVICE_TYPE_LABEL",
    "SERVICE_UID_LABEL",
    "SLICE_MANAGER",
    "SLICE_MANAGER_LABEL",
    "SLICE_SERVICE_LABEL",
    "TEMPLATE_HASH_LABEL",
    "VISIBILITY_LABEL",
    "deployment_name",
    "ingress_name",
    "local_host",
    "pod_name",
    "private_name",
    "public_host",
    "revision_key_of_deployment",
    "revision_name",
    "tag_route_name",
    "template_hash",
]

GROUP: Final = "serving.knative.dev"
SERVICE_LABEL: Final = f"{GROUP}/service"
SERVICE_UID_LABEL: Final = f"{GROUP}/serviceUID"
CONFIGURATION_LABEL: Final = f"{GROUP}/configuration"
CONFIGURATION_UID_LABEL: Final = f"{GROUP}/configurationUID"
GENERATION_LABEL: Final = f"{GROUP}/configurationGeneration"
REVISION_LABEL: Final = f"{GROUP}/revision"
REVISION_UID_LABEL: Final = f"{GROUP}/revisionUID"
ROUTE_LABEL: Final = f"{GROUP}/route"
ROUTES_ANNOTATION: Final = f"{GROUP}/routes"
ROUTING_MODIFIED: Final = f"{GROUP}/routingStateModified"
ROUTING_STATE_LABEL: Final = f"{GROUP}/routingState"
PROGRESS_DEADLINE: Final = f"{GROUP}/progress-deadline"
VISIBILITY_LABEL: Final = "networking.knative.dev/visibility"
CLUSTER_LOCAL: Final = "cluster-local"
SERVICE_TYPE_LABEL: Final = "networking.internal.knative.dev/serviceType"
SLICE_SERVICE_LABEL: Final = "kubernetes.io/service-name"
SLICE_MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
SLICE_MANAGER: Final = "rouse-engine"
APP_LABEL: Final = "app"
TEMPLATE_HASH_LABEL: Final = "pod-template-hash"

REVISION_HEADER: Final = "Knative-Serving-Revision"
NAMESPACE_HEADER: Final = "Knative-Serving-Namespace"
INGRESS_GATEWAY: Final = "knative-serving/knative-ingress-gateway"
LOCAL_GATEWAY: Final = "knative-serving/knative-local-gateway"
CLUSTER_DOMAIN: Final = "svc.cluster.local"
NODE_NAME: Final = "rouse-local"

POD_SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and look-alikes, as Kubernetes' own: no word, and no doubt, comes of it."""

_DEPLOYMENT_SUFFIX: Final = "-deployment"


def revision_name(configuration: str, generation: int) -> str:
    """The name of the revision that a configuration's generation makes: ``iris-00001``."""
    return f"{configuration}-{generation:05d}"


def deployment_name(revision: str) -> str:
    """The name of a revision's Deployment."""
    return revision + _DEPLOYMENT_SUFFIX


def revision_key_of_deployment(deployment: Key) -> Key | None:
    """The revision whose Deployment has this key; ``None`` where its name is no such name."""
    if not deployment.name.endswith(_DEPLOYMENT_SUFFIX):
        return None
    return Key(deployment.namespace, deployment.name.removesuffix(_DEPLOYMENT_SUFFIX))


def private_name(revision: str) -> str:
    """The Service that always leads to the replicas, never to the activator."""
    return f"{revision}-private"


def ingress_name(route: str) -> str:
    """The name of a route's VirtualService."""
    return f"{route}-ingress"


def tag_route_name(tag: str, route: str) -> str:
    """The first label of a tag's host: ``prev-iris``."""
    return f"{tag}-{route}" if tag else route


def local_host(name: str, namespace: str) -> str:
    """The host by which callers inside the cluster reach ``name``."""
    return f"{name}.{namespace}.{CLUSTER_DOMAIN}"


def public_host(name: str, namespace: str, domain: str) -> str:
    """The host by which callers at the gateway reach ``name``."""
    return f"{name}.{namespace}.{domain}"


def template_hash(template: Mapping[str, Any]) -> str:
    """Ten characters that tell one pod template from another."""
    encoded = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    number = int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest())
    return "".join(
        POD_SUFFIX_ALPHABET[number // len(POD_SUFFIX_ALPHABET) ** i % len(POD_SUFFIX_ALPHABET)]
        for i in range(10)
    )


def pod_name(deployment: str, hashed: str, choose: Callable[[str], str]) -> str:
    """A new pod's name; ``choose`` picks one character of an alphabet at random."""
    suffix = "".join(choose(POD_SUFFIX_ALPHABET) for _ in range(5))
    return f"{deployment}-{hashed}-{suffix}"
