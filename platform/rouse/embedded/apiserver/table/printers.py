"""Which columns kubectl shows for which kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rouse.embedded.apiserver.table import core, pods, workloads
from rouse.embedded.apiserver.table.cells import AGE, NAME, columns, object_age
from rouse.embedded.apiserver.table.columns import Column, RowMaker

__all__ = ["Printer", "printer_for"]

Object = dict[str, Any]

_ISTIO = "networking.istio.io"
_KNATIVE = "serving.knative.dev"


@dataclass(frozen=True, slots=True)
class Printer:
    """Columns of a kind and the maker of its rows; None takes the columns' JSON paths."""

    columns: tuple[Column, ...]
    row: RowMaker | None = None


def printer_for(group: str, kind: str) -> Printer:
    """The printer of a built-in kind; name and age for any other."""
    return _PRINTERS.get((group, kind), _DEFAULT)


def _default_row(obj: Object, now: datetime) -> list[Any]:
    return [obj.get("metadata", {}).get("name", ""), object_age(obj, now)]


def _with_data_row(obj: Object, now: datetime) -> list[Any]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    name, age = _default_row(obj, now)
    return [name, count, age]


def _secret_row(obj: Object, now: datetime) -> list[Any]:
    name, count, age = _with_data_row(obj, now)
    return [name, obj.get("type", ""), count, age]


def _account_row(obj: Object, now: datetime) -> list[Any]:
    name, age = _default_row(obj, now)
    return [name, len(obj.get("secrets") or ()), age]


def _lease_row(obj: Object, now: datetime) -> list[Any]:
    name, age = _default_row(obj, now)
    return [name, obj.get("spec", {}).get("holderIdentity", ""), age]


def _namespace_row(obj: Object, now: datetime) -> list[Any]:
    name, age = _default_row(obj, now)
    return [name, obj.get("status", {}).get("phase", ""), age]


def _created_row(obj: Object, _now: datetime) -> list[Any]:
    meta = obj.get("metadata", {})
    return [meta.get("name", ""), meta.get("creationTimestamp", "")]


def _binding_row(obj: Object, now: datetime) -> list[Any]:
    name, age = _default_row(obj, now)
    role = obj.get("roleRef", {})
    return [name, f"{role.get('kind', '')}/{role.get('name', '')}", age]


def _paths(*cells: tuple[str, str] | tuple[str, str, str], aged: bool = False) -> Printer:
    """A printer as a CustomResourceDefinition would declare it: (title, path[, type]) each."""
    made = [Column(cell[0], cell[2] if len(cell) > 2 else "string", cell[1]) for cell in cells]
    if aged:
        made.append(Column("Age", "date", ".metadata.creationTimestamp"))
    return Printer((NAME, *made))


def _ready(field: str) -> str:
    return f".status.conditions[?(@.type=='Ready')].{field}"


_READY = (("Ready", _ready("status")), ("Reason", _ready("reason")))
_LATEST = (
    ("LatestCreated", ".status.latestCreatedRevisionName"),
    ("LatestReady", ".status.latestReadyRevisionName"),
)
_DEFAULT = Printer((NAME, AGE), _default_row)
_BINDING = Printer((NAME, *columns("Role"), AGE), _binding_row)
_CREATED = Printer((NAME, *columns("Created At")), _created_row)
_EVENT = Printer(core.EVENT_COLUMNS, core.event_row)

_PRINTERS: Mapping[tuple[str, str], Printer] = {
    ("", "Pod"): Printer(pods.POD_COLUMNS, pods.pod_row),
    ("", "Service"): Printer(core.SERVICE_COLUMNS, core.service_row),
    ("", "Node"): Printer(core.NODE_COLUMNS, core.node_row),
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): _EVENT,
    ("", "Endpoints"): Printer(core.ENDPOINTS_COLUMNS, core.endpoints_row),
    ("", "PersistentVolumeClaim"): Printer(core.CLAIM_COLUMNS, core.claim_row),
    ("", "Namespace"): Printer((NAME, *columns("Status"), AGE), _namespace_row),
    ("", "ConfigMap"): Printer((NAME, *columns("Data"), AGE), _with_data_row),
    ("", "Secret"): Printer((NAME, *columns("Type", "Data"), AGE), _secret_row),
    ("", "ServiceAccount"): Printer((NAME, *columns("Secrets"), AGE), _account_row),
    ("coordination.k8s.io", "Lease"): Printer((NAME, *columns("Holder"), AGE), _lease_row),
    ("discovery.k8s.io", "EndpointSlice"): Printer(
        core.ENDPOINT_SLICE_COLUMNS, core.endpoint_slice_row
    ),
    ("apps", "Deployment"): Printer(workloads.DEPLOYMENT_COLUMNS, workloads.deployment_row),
    ("apps", "ReplicaSet"): Printer(workloads.REPLICA_SET_COLUMNS, workloads.replica_set_row),
    ("apps", "StatefulSet"): Printer(workloads.STATEFUL_SET_COLUMNS, workloads.stateful_set_row),
    ("batch", "Job"): Printer(workloads.JOB_COLUMNS, workloads.job_row),
    ("autoscaling", "HorizontalPodAutoscaler"): Printer(workloads.HPA_COLUMNS, workloads.hpa_row),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _CREATED,
    ("rbac.authorization.k8s.io", "Role"): _CREATED,
    ("rbac.authorization.k8s.io", "ClusterRole"): _CREATED,
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    (_KNATIVE, "Service"): _paths(("URL", ".status.url"), *_LATEST, *_READY),
    (_KNATIVE, "Configuration"): _paths(*_LATEST, *_READY),
    (_KNATIVE, "Route"): _paths(("URL", ".status.url"), *_READY),
    (_KNATIVE, "Revision"): _paths(
        ("Config Name", r".metadata.labels['serving\.knative\.dev/configuration']"),
        ("Generation", r".metadata.labels['serving\.knative\.dev/configurationGeneration']"),
        *_READY,
        ("Actual Replicas", ".status.actualReplicas", "integer"),
        ("Desired Replicas", ".status.desiredReplicas", "integer"),
    ),
    ("autoscaling.internal.knative.dev", "PodAutoscaler"): _paths(
        ("DesiredScale", ".status.desiredScale", "integer"),
        ("ActualScale", ".status.actualScale", "integer"),
        *_READY,
    ),
    (_ISTIO, "VirtualService"): _paths(
        ("Gateways", ".spec.gateways"), ("Hosts", ".spec.hosts"), aged=True
    ),
    (_ISTIO, "DestinationRule"): _paths(("Host", ".spec.host"), aged=True),
    (_ISTIO, "ServiceEntry"): _paths(
        ("Hosts", ".spec.hosts"),
        ("Location", ".spec.location"),
        ("Resolution", ".spec.resolution"),
        aged=True,
    ),
    (_ISTIO, "Gateway"): _paths(aged=True),
    ("security.istio.io", "PeerAuthentication"): _paths(("Mode", ".spec.mtls.mode"), aged=True),
    ("security.istio.io", "AuthorizationPolicy"): _paths(("Action", ".spec.action"), aged=True),
}
