"""How kubectl sums up a pod in one line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rouse.embedded.apiserver.table.age import human_duration, moment
from rouse.embedded.apiserver.table.cells import (
    AGE,
    NAME,
    NONE,
    columns,
    condition,
    object_age,
    wide,
)

__all__ = ["POD_COLUMNS", "pod_row"]

Object = dict[str, Any]

POD_COLUMNS = (
    NAME,
    *columns("Ready", "Status", "Restarts"),
    AGE,
    *wide("IP", "Node", "Nominated Node", "Readiness Gates"),
)


def pod_row(pod: Object, now: datetime) -> list[Any]:
    """Name, ready containers, what it is doing, restarts, age, and where."""
    meta, spec, status = pod.get("metadata", {}), pod.get("spec", {}), pod.get("status", {})
    statuses = status.get("containerStatuses") or []
    waiting_for_init = _init_reason(spec, status)
    if waiting_for_init and condition(status, "Initialized").get("status") != "True":
        reason, ready = waiting_for_init, 0
        counted = status.get("initContainerStatuses") or []
    else:
        reason = _reason(status, statuses)
        ready = sum(1 for each in statuses if _is_running(each))
        counted = statuses
    return [
        meta.get("name", ""),
        f"{ready + _ready_sidecars(spec, status)}/{_total(spec)}",
        _unless_going(meta, status, reason),
        _restarts(counted, now),
        object_age(pod, now),
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _sidecars(spec: Object) -> set[str]:
    return {
        each.get("name", "")
        for each in spec.get("initContainers") or ()
        if each.get("restartPolicy") == "Always"
    }


def _total(spec: Object) -> int:
    return len(spec.get("containers") or ()) + len(_sidecars(spec))


def _ready_sidecars(spec: Object, status: Object) -> int:
    names = _sidecars(spec)
    return sum(
        1
        for each in status.get("initContainerStatuses") or ()
        if each.get("name") in names and each.get("started") and each.get("ready")
    )


def _init_reason(spec: Object, status: Object) -> str:
    """What the first unfinished init container is doing; empty when all are through."""
    sidecars = _sidecars(spec)
    for index, each in enumerate(status.get("initContainerStatuses") or ()):
        state = each.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        if each.get("name") in sidecars and each.get("started"):
            continue
        if ended is not None:
            return f"Init:{_ending(ended)}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(spec.get('initContainers') or ())}"
    return ""


def _ending(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _is_running(container: Object) -> bool:
    return bool(container.get("ready")) and "running" in (container.get("state") or {})


def _reason(status: Object, statuses: list[Object]) -> str:
    reason = status.get("reason") or status.get("phase") or "Unknown"
    if condition(status, "PodScheduled").get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    for each in reversed(statuses):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            reason = _ending(ended)
    if reason == "Completed" and any(_is_running(each) for each in statuses):
        reason = "Running" if condition(status, "Ready").get("status") == "True" else "NotReady"
    return str(reason)


def _unless_going(meta: Object, status: Object, reason: str) -> str:
    if not meta.get("deletionTimestamp"):
        return reason
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _restarts(statuses: list[Object], now: datetime) -> str:
    count = sum(int(each.get("restartCount") or 0) for each in statuses)
    ends = [
        moment(((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
        for each in statuses
    ]
    known = [end for end in ends if end is not None]
    if not count or not known:
        return str(count)
    return f"{count} ({human_duration((now - max(known)).total_seconds())} ago)"


def _gates(spec: Object, status: Object) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return NONE
    passed = sum(
        1
        for gate in gates
        if condition(status, gate.get("conditionType", "")).get("status") == "True"
    )
    return f"{passed}/{len(gates)}"
