"""The columns of every built-in kind but pods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rouse.embedded.apiserver.table import make_table, printer_for

Object = dict[str, Any]

_NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def _ago(**delta: float) -> str:
    return (_NOW - timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cells(group: str, kind: str, obj: Object, *, wide: bool = False) -> dict[str, Any]:
    printer = printer_for(group, kind)
    obj.setdefault("metadata", {}).setdefault("name", "x")
    obj["metadata"].setdefault("creationTimestamp", _ago(seconds=5))
    table = make_table([obj], printer.columns, now=_NOW, row_maker=printer.row)
    cells = table["rows"][0]["cells"]
    columns = table["columnDefinitions"]
    assert len(cells) == len(columns)
    return {
        column["name"]: cell
        for column, cell in zip(columns, cells, strict=True)
        if wide or column["priority"] == 0
    }


_READY = [{"type": "Ready", "status": "True"}]

_BUILTIN: list[tuple[str, str, Object, dict[str, Any]]] = [
    (
        "",
        "Service",
        {
            "spec": {
                "type": "ClusterIP",
                "clusterIP": "10.0.0.1",
                "selector": {"b": "2", "a": "1"},
                "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053}],
            }
        },
        {
            "Name": "x",
            "Type": "ClusterIP",
            "Cluster-IP": "10.0.0.1",
            "External-IP": "<none>",
            "Port(s)": "80/TCP,53:30053/TCP",
            "Age": "5s",
            "Selector": "a=1,b=2",
        },
    ),
    (
        "",
        "Service",
        {"spec": {"type": "ExternalName", "externalName": "gw.example.com"}},
        {
            "Name": "x",
            "Type": "ExternalName",
            "Cluster-IP": "<none>",
            "External-IP": "gw.example.com",
            "Port(s)": "<none>",
            "Age": "5s",
            "Selector": "<none>",
        },
    ),
    (
        "apps",
        "Deployment",
        {
            "spec": {
                "replicas": 2,
                "selector": {
                    "matchLabels": {"app": "x"},
                    "matchExpressions": [
                        {"key": "k", "operator": "In", "values": ["b", "a"]},
                        {"key": "e", "operator": "Exists"},
                        {"key": "d", "operator": "DoesNotExist"},
                        {"key": "n", "operator": "NotIn", "values": ["c"]},
                    ],
                },
                "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
            },
            "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
        },
        {
            "Name": "x",
            "Ready": "1/2",
            "Up-to-date": 2,
            "Available": 1,
            "Age": "5s",
            "Containers": "c",
            "Images": "i",
            "Selector": "app=x,k in (a,b),e,!d,n notin (c)",
        },
    ),
    (
        "apps",
        "ReplicaSet",
        {"spec": {"replicas": 3}, "status": {"replicas": 2, "readyReplicas": 1}},
        {
            "Name": "x",
            "Desired": 3,
            "Current": 2,
            "Ready": 1,
            "Age": "5s",
            "Containers": "",
            "Images": "",
            "Selector": "<none>",
        },
    ),
    (
        "",
        "Event",
        {
            "type": "Warning",
            "reason": "Failed",
            "message": "no model\n",
            "count": 4,
            "involvedObject": {"kind": "InferenceService", "name": "iris"},
            "firstTimestamp": _ago(minutes=10),
            "lastTimestamp": _ago(seconds=30),
            "source": {"component": "rouse", "host": "h"},
        },
        {
            "Last Seen": "30s",
            "Type": "Warning",
            "Reason": "Failed",
            "Object": "inferenceservice/iris",
            "Subobject": "",
            "Source": "rouse, h",
            "Message": "no model",
            "First Seen": "10m",
            "Count": 4,
            "Name": "x",
        },
    ),
    (
        "events.k8s.io",
        "Event",
        {
            "type": "Normal",
            "reason": "Made",
            "note": "done",
            "regarding": {"kind": "Pod", "name": "p", "fieldPath": "spec"},
            "eventTime": "2026-01-02T11:59:00.123456Z",
        },
        {
            "Last Seen": "59s",
            "Type": "Normal",
            "Reason": "Made",
            "Object": "pod/p",
            "Subobject": "spec",
            "Source": "",
            "Message": "done",
            "First Seen": "59s",
            "Count": 1,
            "Name": "x",
        },
    ),
    (
        "",
        "Namespace",
        {"status": {"phase": "Active"}},
        {"Name": "x", "Status": "Active", "Age": "5s"},
    ),
    (
        "",
        "Node",
        {
            "metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}},
            "spec": {"unschedulable": True},
            "status": {
                "conditions": _READY,
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1", "osImage": "Debian"},
            },
        },
        {
            "Name": "x",
            "Status": "Ready,SchedulingDisabled",
            "Roles": "control-plane",
            "Age": "5s",
            "Version": "v1",
            "Internal-IP": "127.0.0.1",
            "External-IP": "<none>",
            "OS-Image": "Debian",
            "Kernel-Version": "<unknown>",
            "Container-Runtime": "<unknown>",
        },
    ),
    (
        "",
        "ConfigMap",
        {"data": {"a": "1"}, "binaryData": {"b": ""}},
        {"Name": "x", "Data": 2, "Age": "5s"},
    ),
    (
        "",
        "Secret",
        {"type": "Opaque", "data": {"a": ""}},
        {"Name": "x", "Type": "Opaque", "Data": 1, "Age": "5s"},
    ),
    ("", "ServiceAccount", {"secrets": [{}]}, {"Name": "x", "Secrets": 1, "Age": "5s"}),
    (
        "coordination.k8s.io",
        "Lease",
        {"spec": {"holderIdentity": "me"}},
        {"Name": "x", "Holder": "me", "Age": "5s"},
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        {
            "addressType": "IPv4",
            "ports": [{"port": 8012}],
            "endpoints": [{"addresses": [f"10.0.0.{n}"]} for n in range(5)],
        },
        {
            "Name": "x",
            "AddressType": "IPv4",
            "Ports": "8012",
            "Endpoints": "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more...",
            "Age": "5s",
        },
    ),
    (
        "discovery.k8s.io",
        "EndpointSlice",
        {"addressType": "IPv4"},
        {
            "Name": "x",
            "AddressType": "IPv4",
            "Ports": "<unset>",
            "Endpoints": "<unset>",
            "Age": "5s",
        },
    ),
    (
        "",
        "Endpoints",
        {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
        {"Name": "x", "Endpoints": "10.0.0.1:80", "Age": "5s"},
    ),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        {
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                "minReplicas": 1,
                "maxReplicas": 5,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"averageUtilization": 80}},
                    },
                    {"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
                ],
            },
            "status": {
                "currentReplicas": 2,
                "currentMetrics": [
                    {"type": "Resource", "resource": {"current": {"averageUtilization": 12}}}
                ],
            },
        },
        {
            "Name": "x",
            "Reference": "Deployment/d",
            "Targets": "cpu: 12%/80%,<unknown>/10",
            "MinPods": 1,
            "MaxPods": 5,
            "Replicas": 2,
            "Age": "5s",
        },
    ),
    (
        "",
        "PersistentVolumeClaim",
        {
            "spec": {"volumeName": "v", "storageClassName": "local"},
            "status": {
                "phase": "Bound",
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "capacity": {"storage": "1Gi"},
            },
        },
        {
            "Name": "x",
            "Status": "Bound",
            "Volume": "v",
            "Capacity": "1Gi",
            "Access Modes": "RWO,ROX",
            "StorageClass": "local",
            "Age": "5s",
            "VolumeMode": "<unset>",
        },
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}},
        {"Name": "x", "Created At": "2026-01-01T00:00:00Z"},
    ),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        {"roleRef": {"kind": "Role", "name": "r"}},
        {"Name": "x", "Role": "Role/r", "Age": "5s"},
    ),
    (
        "serving.knative.dev",
        "Service",
        {
            "status": {
                "url": "http://x",
                "latestCreatedRevisionName": "x-00002",
                "latestReadyRevisionName": "x-00001",
                "conditions": [{"type": "Ready", "status": "False", "reason": "RevisionFailed"}],
            }
        },
        {
            "Name": "x",
            "URL": "http://x",
            "LatestCreated": "x-00002",
            "LatestReady": "x-00001",
            "Ready": "False",
            "Reason": "RevisionFailed",
        },
    ),
    (
        "serving.knative.dev",
        "Revision",
        {
            "metadata": {
                "labels": {
                    "serving.knative.dev/configuration": "iris",
                    "serving.knative.dev/configurationGeneration": "1",
                }
            },
            "status": {"actualReplicas": 1, "desiredReplicas": 2, "conditions": _READY},
        },
        {
            "Name": "x",
            "Config Name": "iris",
            "Generation": "1",
            "Ready": "True",
            "Reason": None,
            "Actual Replicas": 1,
            "Desired Replicas": 2,
        },
    ),
    (
        "autoscaling.internal.knative.dev",
        "PodAutoscaler",
        {"status": {"desiredScale": 0}},
        {"Name": "x", "DesiredScale": 0, "ActualScale": None, "Ready": None, "Reason": None},
    ),
    (
        "networking.istio.io",
        "VirtualService",
        {"spec": {"gateways": ["g"], "hosts": ["h"]}},
        {"Name": "x", "Gateways": '["g"]', "Hosts": '["h"]', "Age": "5s"},
    ),
    ("networking.istio.io", "Gateway", {}, {"Name": "x", "Age": "5s"}),
    ("example.com", "Anything", {}, {"Name": "x", "Age": "5s"}),
]


@pytest.mark.parametrize(
    ("group", "kind", "obj", "wanted"), _BUILTIN, ids=[f"{case[0]}/{case[1]}" for case in _BUILTIN]
)
def test_builtin_kinds(group: str, kind: str, obj: Object, wanted: dict[str, Any]) -> None:
    assert _cells(group, kind, obj, wide=True) == wanted


def test_jobs_and_stateful_sets() -> None:
    job = {
        "spec": {"completions": 2},
        "status": {
            "succeeded": 2,
            "startTime": _ago(seconds=60),
            "completionTime": _ago(seconds=20),
            "conditions": [{"type": "Complete", "status": "True"}],
        },
    }
    cells = _cells("batch", "Job", job)
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == ("Complete", "2/2", "40s")
    assert _cells("batch", "Job", {})["Status"] == "Running"
    sets = _cells("apps", "StatefulSet", {"spec": {"replicas": 3}, "status": {"readyReplicas": 1}})
    assert sets["Ready"] == "1/3"


def test_a_load_balancer_waits_for_its_address() -> None:
    service: Object = {"spec": {"type": "LoadBalancer"}}
    assert _cells("", "Service", service)["External-IP"] == "<pending>"
    service["status"] = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "h"}]}}
    assert _cells("", "Service", service)["External-IP"] == "1.2.3.4,h"


def test_an_odd_object_is_shown_by_its_name_and_hides_no_other() -> None:
    printer = printer_for("", "Endpoints")
    odd: Object = {"metadata": {"name": "odd"}, "subsets": [7]}
    good: Object = {"metadata": {"name": "good", "creationTimestamp": _ago(seconds=5)}}
    table = make_table([odd, good], printer.columns, now=_NOW, row_maker=printer.row)
    assert [row["cells"] for row in table["rows"]] == [
        ["odd", None, None],
        ["good", "<none>", "5s"],
    ]
