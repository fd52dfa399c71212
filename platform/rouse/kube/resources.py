"""The kinds Rouse reads and writes, and the paths they live at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rouse.errors import InvalidError

__all__ = [
    "AUTHORIZATION_POLICIES",
    "CLUSTER_SERVING_RUNTIMES",
    "CLUSTER_STORAGE_CONTAINERS",
    "CONFIGURATIONS",
    "CONFIG_MAPS",
    "CUSTOM_RESOURCE_DEFINITIONS",
    "DEPLOYMENTS",
    "DESTINATION_RULES",
    "ENDPOINT_SLICES",
    "EVENTS",
    "GATEWAYS",
    "HORIZONTAL_POD_AUTOSCALERS",
    "INFERENCE_GRAPHS",
    "INFERENCE_SERVICES",
    "KNATIVE_SERVICES",
    "LEASES",
    "NAMESPACES",
    "NODES",
    "OPEN_TELEMETRY_COLLECTORS",
    "PODS",
    "POD_AUTOSCALERS",
    "REQUEST_AUTHENTICATIONS",
    "RESOURCES",
    "RESOURCE_QUOTAS",
    "REVISIONS",
    "ROUTES",
    "SCALED_OBJECTS",
    "SECRETS",
    "SERVICES",
    "SERVING_RUNTIMES",
    "VIRTUAL_SERVICES",
    "Resource",
    "resource_of",
]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind at one version: what discovery calls an API resource."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``group/version``, or the bare version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """Return the URL path of the collection or, with ``name``, of one object."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        elif self.namespaced and name:
            message = f'{self.kind} "{name}" needs a namespace: set metadata.namespace'
            raise InvalidError(message)
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=":"))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


_KSERVE = "serving.kserve.io"
_KNATIVE = "serving.knative.dev"
_ISTIO = "networking.istio.io"

INFERENCE_SERVICES = Resource(_KSERVE, "v1beta1", "InferenceService", "inferenceservices")
INFERENCE_GRAPHS = Resource(_KSERVE, "v1alpha1", "InferenceGraph", "inferencegraphs")
SERVING_RUNTIMES = Resource(_KSERVE, "v1alpha1", "ServingRuntime", "servingruntimes")
CLUSTER_SERVING_RUNTIMES = Resource(
    _KSERVE, "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes", namespaced=False
)
CLUSTER_STORAGE_CONTAINERS = Resource(
    _KSERVE, "v1alpha1", "ClusterStorageContainer", "clusterstoragecontainers", namespaced=False
)
KNATIVE_SERVICES = Resource(_KNATIVE, "v1", "Service", "services")
CONFIGURATIONS = Resource(_KNATIVE, "v1", "Configuration", "configurations")
REVISIONS = Resource(_KNATIVE, "v1", "Revision", "revisions")
ROUTES = Resource(_KNATIVE, "v1", "Route", "routes")
POD_AUTOSCALERS = Resource(
    "autoscaling.internal.knative.dev", "v1alpha1", "PodAutoscaler", "podautoscalers"
)
VIRTUAL_SERVICES = Resource(_ISTIO, "v1", "VirtualService", "virtualservices")
DESTINATION_RULES = Resource(_ISTIO, "v1", "DestinationRule", "destinationrules")
REQUEST_AUTHENTICATIONS = Resource(
    "security.istio.io", "v1", "RequestAuthentication", "requestauthentications"
)
AUTHORIZATION_POLICIES = Resource(
    "security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies"
)
GATEWAYS = Resource(_ISTIO, "v1", "Gateway", "gateways")
SERVICES = Resource("", "v1", "Service", "services")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
PODS = Resource("", "v1", "Pod", "pods")
DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"
)
OPEN_TELEMETRY_COLLECTORS = Resource(
    "opentelemetry.io", "v1beta1", "OpenTelemetryCollector", "opentelemetrycollectors"
)
SCALED_OBJECTS = Resource("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")
EVENTS = Resource("", "v1", "Event", "events")
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")
SECRETS = Resource("", "v1", "Secret", "secrets")
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
RESOURCE_QUOTAS = Resource("", "v1", "ResourceQuota", "resourcequotas")
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases")
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)

_ALSO_APPLIED = (
    # Kinds no controller follows, which users put beside their models.
    Resource(_KSERVE, "v1alpha1", "TrainedModel", "trainedmodels"),
    Resource(_KSERVE, "v1alpha1", "LocalModelCache", "localmodelcaches", namespaced=False),
    Resource(_KSERVE, "v1alpha1", "LocalModelNamespaceCache", "localmodelnamespacecaches"),
    Resource(_KSERVE, "v1alpha1", "LocalModelNode", "localmodelnodes", namespaced=False),
    Resource(_KSERVE, "v1alpha1", "LocalModelNodeGroup", "localmodelnodegroups", namespaced=False),
    Resource("", "v1", "ServiceAccount", "serviceaccounts"),
    Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Resource("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False),
    RESOURCE_QUOTAS,
    Resource("", "v1", "LimitRange", "limitranges"),
    Resource("apps", "v1", "ReplicaSet", "replicasets"),
    Resource("apps", "v1", "StatefulSet", "statefulsets"),
    Resource("apps", "v1", "DaemonSet", "daemonsets"),
    Resource("batch", "v1", "Job", "jobs"),
    Resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Resource("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Resource("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Resource(_ISTIO, "v1", "ServiceEntry", "serviceentries"),
    Resource("cert-manager.io", "v1", "Certificate", "certificates"),
)

RESOURCES: Mapping[tuple[str, str], Resource] = {
    (resource.api_version, resource.kind): resource
    for resource in (
        INFERENCE_SERVICES,
        INFERENCE_GRAPHS,
        SERVING_RUNTIMES,
        CLUSTER_SERVING_RUNTIMES,
        CLUSTER_STORAGE_CONTAINERS,
        KNATIVE_SERVICES,
        CONFIGURATIONS,
        REVISIONS,
        ROUTES,
        POD_AUTOSCALERS,
        VIRTUAL_SERVICES,
        AUTHORIZATION_POLICIES,
        REQUEST_AUTHENTICATIONS,
        DESTINATION_RULES,
        GATEWAYS,
        SERVICES,
        ENDPOINT_SLICES,
        PODS,
        DEPLOYMENTS,
        HORIZONTAL_POD_AUTOSCALERS,
        OPEN_TELEMETRY_COLLECTORS,
        SCALED_OBJECTS,
        EVENTS,
        CONFIG_MAPS,
        SECRETS,
        NAMESPACES,
        NODES,
        LEASES,
        CUSTOM_RESOURCE_DEFINITIONS,
        *_ALSO_APPLIED,
    )
}
"""Every known kind by ``(apiVersion, kind)``."""


def resource_of(obj: Mapping[str, Any]) -> Resource:
    """Return the resource of an object by its ``apiVersion`` and ``kind``."""
    identity = (str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
    try:
        return RESOURCES[identity]
    except KeyError:
        message = (
            f"unknown kind {identity[1] or '(no kind)'} in {identity[0] or '(no apiVersion)'}; "
            "apply it with kubectl"
        )
        raise InvalidError(message) from None
