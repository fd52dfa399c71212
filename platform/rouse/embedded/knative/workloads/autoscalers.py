"""HorizontalPodAutoscalers: their bounds hold; their metrics do not exist on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rouse.embedded.knative.ports import Clock
from rouse.embedded.knative.replicas import Replicas
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of
from rouse.kube.resources import DEPLOYMENTS

__all__ = ["BY_TARGET", "Autoscalers", "bounded", "target_of"]

BY_TARGET: Final = "target"
_NO_METRICS: Final = (
    "the embedded engine has no metrics server: replicas are kept between minReplicas and "
    "maxReplicas and not scaled by metrics; services of mode Knative are scaled by their requests"
)


def target_of(autoscaler: Mapping[str, Any]) -> str:
    """The name of the Deployment it scales; empty where it scales something else."""
    target = autoscaler["spec"].get("scaleTargetRef") or {}
    return str(target.get("name", "")) if target.get("kind") == "Deployment" else ""


def bounded(autoscaler: Object, replicas: int) -> int:
    """The replicas within the autoscaler's bounds; 0 switches it off, as in Kubernetes."""
    spec = autoscaler["spec"]
    if replicas == 0:
        return 0
    least = int(spec.get("minReplicas") or 1)
    most = max(least, int(spec.get("maxReplicas") or replicas))
    return min(max(replicas, least), most)


class Autoscalers:
    """Reconciles one HorizontalPodAutoscaler by key."""

    def __init__(
        self,
        client: KubeClient,
        replicas: Replicas,
        *,
        autoscalers: Informer,
        deployments: Informer,
        clock: Clock,
    ) -> None:
        self._client = client
        self._replicas = replicas
        self._autoscalers = autoscalers
        self._deployments = deployments
        self._clock = clock

    async def reconcile(self, key: Key) -> None:
        """Keep its Deployment within the bounds, and say that nothing else is done."""
        autoscaler = self._autoscalers.get(key)
        if autoscaler is None or autoscaler["metadata"].get("deletionTimestamp"):
            return
        target = Key(key.namespace, target_of(autoscaler))
        deployment = self._deployments.get(target)
        now = rfc3339(self._clock.utc())
        if deployment is None:
            status = _status(autoscaler, 0, 0, now, found=False)
        else:
            has = int(deployment["spec"].get("replicas", 1))
            wanted = bounded(autoscaler, has)
            if wanted != has:
                body = {"spec": {"replicas": wanted}}
                await self._client.patch(DEPLOYMENTS, target.name, body, namespace=key.namespace)
            running = sum(not one.retiring for one in self._replicas.all(target))
            status = _status(autoscaler, running, wanted, now, found=True)
        await write_status(self._client, autoscaler, status)

    def of(self, deployment: Key, enqueue: Callable[[Key], None]) -> None:
        """Enqueue the autoscalers of a Deployment."""
        for one in self._autoscalers.indexed(BY_TARGET, deployment.name):
            if key_of(one).namespace == deployment.namespace:
                enqueue(key_of(one))


def _status(autoscaler: Object, running: int, wanted: int, now: str, *, found: bool) -> Object:
    before = {one["type"]: one for one in (autoscaler.get("status") or {}).get("conditions") or ()}

    def condition(type_: str, holds: bool, reason: str, message: str) -> Object:
        status = "True" if holds else "False"
        known = before.get(type_, {})
        since = known.get("lastTransitionTime", now) if known.get("status") == status else now
        return {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
        }

    able = (
        condition("AbleToScale", True, "ReadyForNewScale", "the bounds are kept")
        if found
        else condition(
            "AbleToScale", False, "FailedGetScale", "the target is not a Deployment here"
        )
    )
    return {
        "currentReplicas": running,
        "desiredReplicas": wanted,
        "conditions": [
            able,
            condition("ScalingActive", False, "FailedGetResourceMetric", _NO_METRICS),
        ],
    }
