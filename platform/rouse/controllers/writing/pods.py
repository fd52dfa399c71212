"""What is kept of pods, and which of their changes matter. Pure."""

from __future__ import annotations

from typing import Final

from rouse.api.base import Object
from rouse.compiler.pods import pod_summary
from rouse.kube.client import EventType
from rouse.kube.informer import ChangeHandler, Handler

__all__ = ["what_pods_tell", "where_it_matters"]

_NOISE: Final = frozenset({"annotations", "managedFields"})


def what_pods_tell(pod: Object) -> Object:
    """Keep how a pod does; of its spec, which takes most of the memory, where and on what ports."""
    metadata = {k: v for k, v in pod["metadata"].items() if k not in _NOISE}
    spec = pod.get("spec") or {}
    containers = [
        {"name": each["name"], "ports": each["ports"]}
        for each in spec.get("containers") or ()
        if each.get("ports")
    ]
    kept = {"nodeName": spec.get("nodeName", ""), "containers": containers}
    return {**pod, "metadata": metadata, "spec": kept}


def where_it_matters(on_part: Handler) -> ChangeHandler:
    """Return what tells of a pod only what a status says: most of its changes are not."""

    def on_pod(type_: EventType, pod: Object, before: Object | None) -> None:
        told = None if type_ is EventType.DELETED else pod
        known = pod if told is None else before
        if pod_summary(told) != pod_summary(known):
            on_part(type_, pod)

    return on_pod
