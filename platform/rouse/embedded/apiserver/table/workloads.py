"""Lines of deployments and their kin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rouse.embedded.apiserver.table.age import human_duration, moment
from rouse.embedded.apiserver.table.cells import (
    AGE,
    NAME,
    columns,
    condition,
    container_images,
    container_names,
    listed,
    object_age,
    selector,
    wide,
)

__all__ = [
    "DEPLOYMENT_COLUMNS",
    "HPA_COLUMNS",
    "JOB_COLUMNS",
    "REPLICA_SET_COLUMNS",
    "STATEFUL_SET_COLUMNS",
    "deployment_row",
    "hpa_row",
    "job_row",
    "replica_set_row",
    "stateful_set_row",
]

Object = dict[str, Any]

DEPLOYMENT_COLUMNS = (
    NAME,
    *columns("Ready", "Up-to-date", "Available"),
    AGE,
    *wide("Containers", "Images", "Selector"),
)
REPLICA_SET_COLUMNS = (
    NAME,
    *columns("Desired", "Current", "Ready"),
    AGE,
    *wide("Containers", "Images", "Selector"),
)
STATEFUL_SET_COLUMNS = (NAME, *columns("Ready"), AGE, *wide("Containers", "Images"))
JOB_COLUMNS = (
    NAME,
    *columns("Status", "Completions", "Duration"),
    AGE,
    *wide("Containers", "Images", "Selector"),
)
HPA_COLUMNS = (NAME, *columns("Reference", "Targets", "MinPods", "MaxPods", "Replicas"), AGE)


def _parts(obj: Object) -> tuple[str, Object, Object, Object]:
    """Name, spec, status, and the spec of the pod template."""
    spec = obj.get("spec", {})
    return (
        obj.get("metadata", {}).get("name", ""),
        spec,
        obj.get("status", {}),
        spec.get("template", {}).get("spec", {}),
    )


def deployment_row(obj: Object, now: datetime) -> list[Any]:
    """Ready of wanted, up to date, available."""
    name, spec, status, pod = _parts(obj)
    return [
        name,
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        object_age(obj, now),
        container_names(pod),
        container_images(pod),
        selector(spec.get("selector")),
    ]


def replica_set_row(obj: Object, now: datetime) -> list[Any]:
    """Wanted, there, ready."""
    name, spec, status, pod = _parts(obj)
    return [
        name,
        spec.get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        object_age(obj, now),
        container_names(pod),
        container_images(pod),
        selector(spec.get("selector")),
    ]


def stateful_set_row(obj: Object, now: datetime) -> list[Any]:
    """Ready of wanted."""
    name, spec, status, pod = _parts(obj)
    return [
        name,
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        object_age(obj, now),
        container_names(pod),
        container_images(pod),
    ]


def job_row(obj: Object, now: datetime) -> list[Any]:
    """State, completions and how long it takes or took."""
    name, spec, status, pod = _parts(obj)
    return [
        name,
        _job_state(obj),
        f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}",
        _job_duration(status, now),
        object_age(obj, now),
        container_names(pod),
        container_images(pod),
        selector(spec.get("selector")),
    ]


def _job_state(obj: Object) -> str:
    status = obj.get("status", {})
    for kind, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if condition(status, kind).get("status") == "True":
            return shown
    return "Terminating" if obj.get("metadata", {}).get("deletionTimestamp") else "Running"


def _job_duration(status: Object, now: datetime) -> str:
    begin = moment(status.get("startTime"))
    end = moment(status.get("completionTime")) or now
    return "" if begin is None else human_duration((end - begin).total_seconds())


def hpa_row(obj: Object, now: datetime) -> list[Any]:
    """What is scaled, measured against targets, and the bounds."""
    name, spec, status, _ = _parts(obj)
    target = spec.get("scaleTargetRef", {})
    measured = status.get("currentMetrics") or []
    return [
        name,
        f"{target.get('kind', '')}/{target.get('name', '')}",
        listed(
            (
                _metric(wanted, measured[index] if index < len(measured) else {})
                for index, wanted in enumerate(spec.get("metrics") or ())
            ),
            2,
        ),
        spec.get("minReplicas", "<unset>"),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        object_age(obj, now),
    ]


def _metric(wanted: Object, measured: Object) -> str:
    """``cpu: 12%/80%`` for a resource, ``3/10`` for any other metric."""
    kind = wanted.get("type", "")
    source = kind[:1].lower() + kind[1:]
    target = wanted.get(source, {}).get("target", {})
    current = measured.get(source, {}).get("current", {})
    for field, unit in (("averageUtilization", "%"), ("averageValue", ""), ("value", "")):
        if field in target:
            now = f"{current[field]}{unit}" if field in current else "<unknown>"
            prefix = f"{wanted[source]['name']}: " if "name" in wanted[source] else ""
            return f"{prefix}{now}/{target[field]}{unit}"
    return "<unknown>"
