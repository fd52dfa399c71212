"""What the pods of one version tell: how many serve, and why a model was not loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.lifecycle import Reason, condition_of
from rouse.compiler.failures import failure_info
from rouse.compiler.names import GRAPH_LABEL, ROUTER
from rouse.compiler.podwebhook.initializer import INITIALIZER_CONTAINER

__all__ = ["crash_of", "latest_pods", "pod_summary", "with_pods"]

_ENDED = "Error"
_LOOPING = "CrashLoopBackOff"
_TEMPLATE = "pod-template-hash"


def latest_pods(pods: Iterable[Object], labels: Mapping[str, str]) -> list[Object]:
    """Return the pods with these labels that were made from the newest template, by name.

    Those that are being deleted count no more.
    """
    mine = [
        pod
        for pod in pods
        if labels.items() <= (pod["metadata"].get("labels") or {}).items()
        and not pod["metadata"].get("deletionTimestamp")
    ]
    if not mine:
        return []
    newest = _template(max(mine, key=lambda pod: str(pod["metadata"].get("creationTimestamp"))))
    return sorted((pod for pod in mine if _template(pod) == newest), key=_name)


def pod_summary(pod: Object | None) -> tuple[bool, Object | None]:
    """Return what of a pod matters to a status: whether it serves, and its failure."""
    if pod is None or pod["metadata"].get("deletionTimestamp"):
        return False, None
    return _is_ready(pod), _failure(pod)


def crash_of(pods: Iterable[Object]) -> Object | None:
    """Return the condition of a container that ended and has not served since; None without one.

    Between two tries it is the same, so that nobody sees it come and go.
    """
    for pod in pods:
        if _is_ready(pod):
            continue
        for name, status in _containers(pod):
            ended = (status.get("state") or {}).get("terminated") or {}
            ended = ended or (status.get("lastState") or {}).get("terminated") or {}
            if ended.get("exitCode"):
                return _crash(name, ended)
    return None


def with_pods(
    model: Object,
    pods: Sequence[Object],
    before: Mapping[str, Any],
    *,
    location: str,
    revision: str = "",
    replicas: int = 0,
) -> Object:
    """Return a modelStatus with what its pods tell; ``before`` is the one written last.

    ``replicas`` are those that are ready by other word, where there are no pods to see.
    A container that ended knows more than a condition that only knows that nobody got ready.
    """
    failures = [each for each in map(_failure, pods) if each is not None]
    ready = sum(map(_is_ready, pods)) if pods else replicas
    model = {**model, "copies": {"failedCopies": len(failures), "totalCopies": ready}}
    target = model["states"]["targetModelState"]
    known = model.get("lastFailureInfo") or {}
    if target == "Loaded" or known.get("exitCode") is not None:
        return model
    if failures:
        return _failed(model, failures[0], before, location, revision)
    last = before.get("lastFailureInfo") or {}
    same = (last.get("location"), last.get("reason")) == (location, Reason.MODEL_LOAD_FAILED)
    if target != "FailedToLoad" and pods and same:
        # Between two tries it is not forgotten why the one before failed.
        return {**model, "lastFailureInfo": last}
    return model


def _failed(
    model: Object, failure: Object, before: Mapping[str, Any], location: str, revision: str
) -> Object:
    info = failure_info(failure, location=location, revision=revision)
    last = before.get("lastFailureInfo") or {}
    if last.get("time") and {**last, "time": info.get("time")} == info:
        info = last
    active = model["states"]["activeModelState"]
    states = {
        "activeModelState": "FailedToLoad" if active == "Pending" else active,
        "targetModelState": "FailedToLoad",
    }
    return {
        **model,
        "transitionStatus": "BlockedByFailedLoad",
        "states": states,
        "lastFailureInfo": info,
    }


def _failure(pod: Object) -> Object | None:
    """Return how the storage initializer or the model server ended; None while neither failed."""
    for name, status in _containers(pod):
        state = status.get("state") or {}
        ended = state.get("terminated") or {}
        if (state.get("waiting") or {}).get("reason") == _LOOPING:
            ended = (status.get("lastState") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return _crash(name, ended)
    return None


def _crash(name: str, ended: Mapping[str, Any]) -> Object:
    code = int(ended["exitCode"])
    said = str(ended.get("message") or "").strip()
    why = ended.get("reason") or _ENDED
    return {
        "reason": Reason.MODEL_LOAD_FAILED,
        "message": said or f"container {name} ended with exit code {code} ({why})",
        "exitCode": code,
        "lastTransitionTime": ended.get("finishedAt"),
    }


def _containers(pod: Object) -> Iterator[tuple[str, Object]]:
    """Yield the statuses of the containers that load the model, or serve a graph."""
    status = pod.get("status") or {}
    serving = ROUTER if GRAPH_LABEL in (pod["metadata"].get("labels") or {}) else MAIN_CONTAINER
    for each in status.get("initContainerStatuses") or ():
        if each["name"] == INITIALIZER_CONTAINER:
            yield each["name"], each
    for each in status.get("containerStatuses") or ():
        if each["name"] == serving:
            yield each["name"], each


def _is_ready(pod: Object) -> bool:
    running = (pod.get("status") or {}).get("phase") == "Running"
    return running and condition_of(pod, "Ready").get("status") == "True"


def _template(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(_TEMPLATE, ""))


def _name(pod: Object) -> str:
    return str(pod["metadata"]["name"])
