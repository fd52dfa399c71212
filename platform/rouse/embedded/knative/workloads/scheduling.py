"""Pods that name no node get the only one there is: what a cluster's scheduler does."""

from __future__ import annotations

from rouse.embedded.knative import names
from rouse.errors import NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object
from rouse.kube.resources import PODS

__all__ = ["Scheduler", "awaits_node"]

_DEFAULT_SCHEDULER = "default-scheduler"


def awaits_node(pod: Object) -> bool:
    """Whether a pod is to be bound here: it has no node, no gates and no scheduler of its own."""
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and spec.get("schedulerName", _DEFAULT_SCHEDULER) == _DEFAULT_SCHEDULER
        and not pod["metadata"].get("deletionTimestamp")
    )


class Scheduler:
    """Binds one pod by its key."""

    def __init__(self, client: KubeClient, *, pods: Informer, events: EventRecorder) -> None:
        self._client = client
        self._pods = pods
        self._events = events

    async def reconcile(self, key: Key) -> None:
        """Write the node's name into the pod's spec, and tell."""
        pod = self._pods.get(key)
        if pod is None or not awaits_node(pod):
            return
        body = {
            # A pod made again under this name meanwhile is another one.
            "metadata": {"resourceVersion": pod["metadata"]["resourceVersion"]},
            "spec": {"nodeName": names.NODE_NAME},
        }
        try:
            await self._client.patch(PODS, key.name, body, namespace=key.namespace)
        except NotFoundError:
            return
        message = f"Successfully assigned {key} to {names.NODE_NAME}"
        self._events.emit(pod, "Normal", "Scheduled", message)
