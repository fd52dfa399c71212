"""PodState -> the ``status`` of a Kubernetes Pod. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rouse.embedded.node.fields import POD_IP
from rouse.embedded.node.state import ContainerState, PodState, Terminated

__all__ = ["make_pod_status", "rfc3339"]


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as Kubernetes writes times: ``2026-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_pod_status(state: PodState, previous: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The wanted status; a condition keeps its transition time while its status stays."""
    init = [_container_status(c) for c in state.init_containers]
    status: dict[str, Any] = {
        "phase": state.phase,
        "conditions": _conditions(state, previous, now),
        "hostIP": POD_IP,
        "hostIPs": [{"ip": POD_IP}],
        "podIP": POD_IP,
        "podIPs": [{"ip": POD_IP}],
        "startTime": rfc3339(state.started_at),
        "containerStatuses": [_container_status(c) for c in state.containers],
        "qosClass": "BestEffort",
    }
    return status | {"initContainerStatuses": init} if init else status


def _conditions(state: PodState, previous: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    unready = [c.name for c in state.containers if not c.ready]
    why = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
    if state.phase == "Succeeded":
        reason, why = "PodCompleted", ""
    else:
        reason = "ContainersNotReady"
    ready = not unready
    before = {c["type"]: c for c in previous.get("conditions") or []}

    def condition(type_: str, holds: bool, reason: str = "", message: str = "") -> dict[str, Any]:
        value = "True" if holds else "False"
        known = before.get(type_, {})
        same = known.get("status") == value and known.get("lastTransitionTime")
        entry = {
            "type": type_,
            "status": value,
            "lastTransitionTime": known["lastTransitionTime"] if same else rfc3339(now),
        }
        return entry if holds else entry | {"reason": reason, "message": message}

    return [
        condition("PodScheduled", holds=True),
        condition(
            "Initialized",
            state.initialized,
            "ContainersNotInitialized",
            "containers with incomplete status: "
            f"[{' '.join(c.name for c in state.init_containers if not _completed(c))}]",
        ),
        condition("ContainersReady", ready, reason, why),
        condition("Ready", ready and not state.terminating, reason, why or "the pod is stopping"),
    ]


def _completed(container: ContainerState) -> bool:
    ended = container.ended
    return container.state == "terminated" and ended is not None and ended.exit_code == 0


def _container_status(container: ContainerState) -> dict[str, Any]:
    status: dict[str, Any] = {
        "name": container.name,
        "image": container.image,
        "imageID": f"local://{container.image}",
        "ready": container.ready or _completed(container),
        "started": container.started,
        "restartCount": container.restarts,
        "state": _current(container),
        "lastState": {"terminated": _terminated(container.last)} if container.last else {},
    }
    if container.pid:
        status["containerID"] = f"process://{container.pid}"
    return status


def _current(container: ContainerState) -> dict[str, Any]:
    if container.state == "running":
        return {"running": {"startedAt": rfc3339(container.started_at)}}
    if container.state == "terminated" and container.ended:
        return {"terminated": _terminated(container.ended)}
    waiting = {"reason": container.reason}
    return {"waiting": waiting | ({"message": container.message} if container.message else {})}


def _terminated(ended: Terminated) -> dict[str, Any]:
    described = {
        "exitCode": ended.exit_code,
        "reason": ended.reason,
        "startedAt": rfc3339(ended.started_at),
        "finishedAt": rfc3339(ended.finished_at),
    }
    if ended.signal:
        described["signal"] = ended.signal
    return described | ({"message": ended.message} if ended.message else {})
