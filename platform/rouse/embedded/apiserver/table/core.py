"""Lines of services, nodes, events, settings and storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rouse.embedded.apiserver.table.age import UNKNOWN, age
from rouse.embedded.apiserver.table.cells import (
    AGE,
    NAME,
    NONE,
    columns,
    condition,
    labels,
    listed,
    object_age,
    wide,
)
from rouse.embedded.apiserver.table.columns import Column

__all__ = [
    "CLAIM_COLUMNS",
    "ENDPOINTS_COLUMNS",
    "ENDPOINT_SLICE_COLUMNS",
    "EVENT_COLUMNS",
    "NODE_COLUMNS",
    "SERVICE_COLUMNS",
    "claim_row",
    "endpoint_slice_row",
    "endpoints_row",
    "event_row",
    "node_row",
    "service_row",
]

Object = dict[str, Any]

SERVICE_COLUMNS = (
    NAME,
    *columns("Type", "Cluster-IP", "External-IP", "Port(s)"),
    AGE,
    *wide("Selector"),
)
NODE_COLUMNS = (
    NAME,
    *columns("Status", "Roles"),
    AGE,
    *columns("Version"),
    *wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
)
EVENT_COLUMNS = (
    *columns("Last Seen", "Type", "Reason", "Object"),
    *wide("Subobject", "Source"),
    *columns("Message"),
    *wide("First Seen"),
    Column("Count", "integer", priority=1),
    Column("Name", "string", format="name", priority=1),
)
ENDPOINT_SLICE_COLUMNS = (NAME, *columns("AddressType", "Ports", "Endpoints"), AGE)
ENDPOINTS_COLUMNS = (NAME, *columns("Endpoints"), AGE)
CLAIM_COLUMNS = (
    NAME,
    *columns("Status", "Volume", "Capacity", "Access Modes", "StorageClass"),
    AGE,
    *wide("VolumeMode"),
)

_ROLE_PREFIX = "node-role.kubernetes.io/"
_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _name(obj: Object) -> str:
    return str(obj.get("metadata", {}).get("name", ""))


def service_row(obj: Object, now: datetime) -> list[Any]:
    """Type, addresses inside and outside, ports."""
    spec = obj.get("spec", {})
    return [
        _name(obj),
        spec.get("type") or "ClusterIP",
        spec.get("clusterIP") or NONE,
        _external(obj),
        ",".join(_service_port(port) for port in spec.get("ports") or ()) or NONE,
        object_age(obj, now),
        labels(spec.get("selector")),
    ]


def _service_port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', '')}{node}/{port.get('protocol', 'TCP')}"


def _external(obj: Object) -> str:
    spec = obj.get("spec", {})
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    given = list(spec.get("externalIPs") or ())
    if spec.get("type") == "LoadBalancer":
        ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
        given = [each.get("ip") or each.get("hostname", "") for each in ingress] + given
        return ",".join(given) or "<pending>"
    return ",".join(given) or NONE


def node_row(obj: Object, now: datetime) -> list[Any]:
    """Readiness, roles, version, and what the machine is."""
    meta, status = obj.get("metadata", {}), obj.get("status", {})
    info = status.get("nodeInfo", {})
    ready = condition(status, "Ready").get("status")
    shown = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    if obj.get("spec", {}).get("unschedulable"):
        shown += ",SchedulingDisabled"
    roles = [
        key.removeprefix(_ROLE_PREFIX)
        for key in sorted(meta.get("labels") or ())
        if key.startswith(_ROLE_PREFIX)
    ]
    addresses = {each.get("type"): each.get("address") for each in status.get("addresses") or ()}
    return [
        _name(obj),
        shown,
        ",".join(roles) or NONE,
        object_age(obj, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def event_row(obj: Object, now: datetime) -> list[Any]:
    """When, what, to whom; understands both groups' forms of an event."""
    target = obj.get("involvedObject") or obj.get("regarding") or {}
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    series = obj.get("series") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = (
        series.get("lastObservedTime")
        or obj.get("lastTimestamp")
        or obj.get("deprecatedLastTimestamp")
        or first
    )
    kind = target.get("kind", "").lower()
    host = f", {source['host']}" if source.get("host") else ""
    component = source.get("component") or obj.get("reportingComponent", "")
    return [
        age(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{target['name']}" if target.get("name") else kind,
        target.get("fieldPath", ""),
        f"{component}{host}",
        (obj.get("message") or obj.get("note") or "").strip(),
        age(first, now),
        series.get("count") or obj.get("count") or obj.get("deprecatedCount") or 1,
        _name(obj),
    ]


def endpoint_slice_row(obj: Object, now: datetime) -> list[Any]:
    """Kind of addresses, ports, the first few addresses."""
    ports = [str(each.get("port", "*")) for each in obj.get("ports") or ()]
    addresses = [
        address for each in obj.get("endpoints") or () for address in each.get("addresses") or ()
    ]
    return [
        _name(obj),
        obj.get("addressType", ""),
        listed(ports) if ports else "<unset>",
        listed(addresses) if addresses else "<unset>",
        object_age(obj, now),
    ]


def endpoints_row(obj: Object, now: datetime) -> list[Any]:
    """The first few ``address:port``."""
    pairs = [
        f"{address.get('ip', '')}:{port.get('port', '')}"
        for subset in obj.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return [_name(obj), listed(pairs), object_age(obj, now)]


def claim_row(obj: Object, now: datetime) -> list[Any]:
    """State of a claim and the volume it got."""
    spec, status = obj.get("spec", {}), obj.get("status", {})
    bound = bool(spec.get("volumeName"))
    modes = [_MODES.get(mode, mode) for mode in status.get("accessModes") or ()] if bound else []
    going = bool(obj.get("metadata", {}).get("deletionTimestamp"))
    return [
        _name(obj),
        "Terminating" if going else status.get("phase", ""),
        spec.get("volumeName", ""),
        status.get("capacity", {}).get("storage", "") if bound else "",
        ",".join(modes),
        spec.get("storageClassName", ""),
        object_age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]
