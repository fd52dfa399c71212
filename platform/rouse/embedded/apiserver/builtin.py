"""The kinds every server has, as one table.

Knative's and Istio's kinds are here and not CRDs in the store: the engine cannot work without them
and nobody should be able to delete them by accident. They behave as custom resources do.
"""

from __future__ import annotations

from functools import partial

from rouse.embedded.apiserver.resources import Resource, ScalePaths

__all__ = ["BUILTIN"]

_WORKLOAD_SCALE = ScalePaths(selector=".spec.selector")

_core = partial(Resource, "", ("v1",))
_apps = partial(Resource, "apps", ("v1",), categories=("all",), status=True, generation=True)
_rbac = partial(Resource, "rbac.authorization.k8s.io", ("v1",))
_serving = partial(
    Resource,
    "serving.knative.dev",
    ("v1",),
    status=True,
    custom=True,
    generation=True,
    categories=("all", "knative", "serving"),
)
_istio = partial(
    Resource,
    "networking.istio.io",
    ("v1", "v1beta1"),
    status=True,
    custom=True,
    generation=True,
    categories=("istio-io", "networking-istio-io"),
)
_security = partial(
    Resource,
    "security.istio.io",
    ("v1", "v1beta1"),
    status=True,
    custom=True,
    generation=True,
    categories=("istio-io", "security-istio-io"),
)
_admission = partial(
    Resource, "admissionregistration.k8s.io", ("v1",), namespaced=False, generation=True
)
_review = partial(Resource, "authorization.k8s.io", ("v1",), namespaced=False, verbs=("create",))

_CORE = (
    _core("Namespace", "namespaces", False, ("ns",), status=True),
    _core(
        "Pod",
        "pods",
        True,
        ("po",),
        ("all",),
        status=True,
        generation=True,
        subresources=("log", "exec", "attach", "portforward"),
    ),
    _core("Service", "services", True, ("svc",), ("all",), status=True),
    _core("ConfigMap", "configmaps", True, ("cm",)),
    _core("Secret", "secrets"),
    _core("Event", "events", True, ("ev",)),
    _core("ServiceAccount", "serviceaccounts", True, ("sa",)),
    _core("Node", "nodes", False, ("no",), status=True),
    _core("Endpoints", "endpoints", True, ("ep",), list_kind="EndpointsList"),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", True, ("pvc",), status=True),
    _core("PersistentVolume", "persistentvolumes", False, ("pv",), status=True),
    _core("ResourceQuota", "resourcequotas", True, ("quota",), status=True),
    _core("LimitRange", "limitranges", True, ("limits",)),
)

_WORKLOADS = (
    _apps("Deployment", "deployments", True, ("deploy",), scale=_WORKLOAD_SCALE),
    _apps("ReplicaSet", "replicasets", True, ("rs",), scale=_WORKLOAD_SCALE),
    _apps("StatefulSet", "statefulsets", True, ("sts",), scale=_WORKLOAD_SCALE),
    _apps("DaemonSet", "daemonsets", True, ("ds",)),
    Resource("batch", ("v1",), "Job", "jobs", True, (), ("all",), status=True, generation=True),
    Resource(
        "autoscaling",
        ("v2",),
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        True,
        ("hpa",),
        ("all",),
        status=True,
    ),
    Resource(
        "policy",
        ("v1",),
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        True,
        ("pdb",),
        status=True,
        generation=True,
    ),
    Resource("scheduling.k8s.io", ("v1",), "PriorityClass", "priorityclasses", False, ("pc",)),
    Resource("coordination.k8s.io", ("v1",), "Lease", "leases"),
    Resource("discovery.k8s.io", ("v1",), "EndpointSlice", "endpointslices", generation=True),
    Resource("events.k8s.io", ("v1",), "Event", "events", True, ("ev",), storage="/events"),
    Resource("networking.k8s.io", ("v1",), "NetworkPolicy", "networkpolicies", True, ("netpol",)),
    Resource("storage.k8s.io", ("v1",), "StorageClass", "storageclasses", False, ("sc",)),
)

_POLICY = (
    _rbac("Role", "roles"),
    _rbac("RoleBinding", "rolebindings"),
    _rbac("ClusterRole", "clusterroles", False),
    _rbac("ClusterRoleBinding", "clusterrolebindings", False),
    _admission("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    _admission("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    Resource(
        "apiextensions.k8s.io",
        ("v1",),
        "CustomResourceDefinition",
        "customresourcedefinitions",
        False,
        ("crd", "crds"),
        ("api-extensions",),
        status=True,
        generation=True,
    ),
    _review("SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    _review("SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    _review("SubjectAccessReview", "subjectaccessreviews"),
    Resource(
        "authentication.k8s.io",
        ("v1",),
        "SelfSubjectReview",
        "selfsubjectreviews",
        False,
        verbs=("create",),
    ),
)

_ENGINE = (
    _serving("Service", "services", True, ("kservice", "ksvc")),
    _serving("Configuration", "configurations", True, ("config", "cfg")),
    _serving("Revision", "revisions", True, ("rev",)),
    _serving("Route", "routes", True, ("rt",)),
    Resource(
        "autoscaling.internal.knative.dev",
        ("v1alpha1",),
        "PodAutoscaler",
        "podautoscalers",
        True,
        ("kpa", "pa"),
        ("knative-internal", "autoscaling"),
        status=True,
        custom=True,
        generation=True,
    ),
    _istio("VirtualService", "virtualservices", True, ("vs",)),
    _istio("DestinationRule", "destinationrules", True, ("dr",)),
    _istio("Gateway", "gateways", True, ("gw",)),
    _istio("ServiceEntry", "serviceentries", True, ("se",)),
    _security("PeerAuthentication", "peerauthentications"),
    _security("RequestAuthentication", "requestauthentications", True, ("ra",)),
    _security("AuthorizationPolicy", "authorizationpolicies", True, ("ap",)),
)

BUILTIN: tuple[Resource, ...] = (*_CORE, *_WORKLOADS, *_POLICY, *_ENGINE)
"""Every built-in resource, in the order discovery shows them."""
