"""The engine's replica controller: the API's records follow the replicas that run.

Processes are started and chosen for retirement by `Replicas`, without waiting; here their Pods are
recorded and deleted, and the Deployment's scale and status written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rouse.embedded.knative import names
from rouse.embedded.knative.failures import FAILED_CREATE
from rouse.embedded.knative.ports import Clock, Node
from rouse.embedded.knative.replicas import Replica, Replicas
from rouse.embedded.knative.status.deployment import deployment_status
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.errors import AlreadyExistsError, NotFoundError, RejectedError
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of, labels_of, uid_of
from rouse.kube.resources import DEPLOYMENTS, PODS

__all__ = ["Deployments"]

logger = logging.getLogger(__name__)

_STOP_GRACE_S = 30.0
_PROGRESS_DEADLINE_S = 600.0
"""Kubernetes' default."""


class Deployments:
    """Reconciles one Deployment by key.

    ``settle(key)`` waits, for a bounded time, until the gateway no longer sends requests to
    retiring replicas; ``reached(key)`` until it sends them to the ready ones.
    """

    def __init__(
        self,
        client: KubeClient,
        node: Node,
        replicas: Replicas,
        *,
        deployments: Informer,
        pods: Informer,
        settle: Callable[[Key], Awaitable[bool]],
        reached: Callable[[Key], Awaitable[bool]],
        events: EventRecorder,
        clock: Clock,
    ) -> None:
        self._client = client
        self._node = node
        self._replicas = replicas
        self._deployments = deployments
        self._pods = pods
        self._settle = settle
        self._reached = reached
        self._events = events
        self._clock = clock
        self._left: dict[Key, list[Key]] = {}

    async def reconcile(self, key: Key) -> Requeue | None:
        """Make the API's records what the replicas are."""
        deployment = self._deployments.get(key)
        if deployment is None:
            self.forget(key)
        else:
            self.follow(deployment)
        await self._stop_left(key)
        if deployment is None:
            return None
        plain = not _is_revisions(deployment)
        if plain:
            # Nobody here scales this one: what its spec says holds.
            self._replicas.scale_to(key, int(deployment["spec"].get("replicas", 1)))
        self._replicas.balance(key)
        await self._record_scale(key, deployment)
        try:
            await self._record_new(key, deployment)
        except (RejectedError, NotFoundError):
            # Tried again in time; until then its status says why a pod is missing.
            await self._write_status(key)
            raise
        await self._remove_retired(key)
        if plain:
            await self._see_reached(key, deployment)
        rolling = await self._write_status(key)
        # Nothing happens when a rollout is late, or a replica has been ready for long enough: that
        # it is has to be looked for.
        waits = [_deadline_s(deployment)] if plain and rolling else []
        soon = self._replicas.available_in_s(key)
        waits += [] if soon is None else [soon]
        return Requeue(min(waits)) if waits else None

    def follow(self, deployment: Object) -> None:
        """Take note of a Deployment; replicas of another that had its name are not its own."""
        key = key_of(deployment)
        if self._replicas.uid(key) not in ("", uid_of(deployment)):
            self.forget(key)
        self._replicas.track(deployment)

    def forget(self, key: Key) -> None:
        """Take note that a Deployment is gone. `reconcile` stops what has no record."""
        left = [one.key for one in self._replicas.forget(key) if not one.recorded]
        if left:
            self._left.setdefault(key, []).extend(left)

    async def _stop_left(self, key: Key) -> None:
        left = self._left.pop(key, ())
        await asyncio.gather(*(self._node.stop_pod(*one, _STOP_GRACE_S) for one in left))

    async def _record_scale(self, key: Key, deployment: Object) -> None:
        wanted = self._replicas.wanted(key)
        if deployment["spec"].get("replicas", 1) != wanted:
            body = {"spec": {"replicas": wanted}}
            await self._client.patch(DEPLOYMENTS, key.name, body, namespace=key.namespace)

    async def _record_new(self, key: Key, deployment: Object) -> None:
        new = [
            one
            for one in self._replicas.all(key)
            if not one.recorded and not one.retiring and not one.refused
        ]
        await asyncio.gather(*(self._create(key, deployment, one) for one in new))

    async def _create(self, key: Key, deployment: Object, replica: Replica) -> None:
        try:
            await self._client.create(replica.pod)
        except AlreadyExistsError:
            pass
        except (RejectedError, NotFoundError) as error:
            # A replica without a record would run unseen.
            self._events.emit(deployment, "Warning", FAILED_CREATE, str(error))
            self._replicas.refuse(key, replica.key, str(error))
            await self._node.stop_pod(*replica.key, _STOP_GRACE_S)
            raise
        self._replicas.accepted(key, replica)

    async def _remove_retired(self, key: Key) -> None:
        retired = [one for one in self._replicas.all(key) if one.retiring]
        if not retired:
            return
        if any(one.ready for one in retired) and not await self._settle(key):
            logger.warning("%s: the gateway did not confirm in time; stopping replicas", key)
        await asyncio.gather(*(self._remove(key, one) for one in retired))

    async def _remove(self, key: Key, replica: Replica) -> None:
        if not replica.recorded:
            await self._node.stop_pod(*replica.key, _STOP_GRACE_S)
            self._replicas.drop(key, replica.key)
        elif not replica.pod["metadata"].get("deletionTimestamp"):
            try:
                await self._client.delete(PODS, replica.key.name, replica.key.namespace)
            except NotFoundError:
                if self._pods.get(replica.key) is None:
                    self._replicas.drop(key, replica.key)

    async def _see_reached(self, key: Key, deployment: Object) -> None:
        """Nobody is told of a replica as available before requests get there."""
        told = (deployment.get("status") or {}).get("availableReplicas", 0)
        if len(self._replicas.available(key)) > told and not await self._reached(key):
            logger.warning("%s: the gateway did not take its replicas in time; going on", key)

    async def _write_status(self, key: Key) -> bool:
        """Write it, and say whether a rollout is under way."""
        deployment = self._deployments.get(key)
        if deployment is None:
            return False
        replicas = self._replicas.all(key)
        problem = self._replicas.problem(key)
        status = deployment_status(
            deployment,
            replicas,
            wanted=self._replicas.wanted(key),
            updated=sum(
                self._replicas.is_current(key, one) for one in replicas if not one.retiring
            ),
            available=len(self._replicas.available(key)),
            problem=f"{problem.reason}: {problem.last_line}" if problem else "",
            refused=problem.message if problem and problem.reason == FAILED_CREATE else "",
            now=rfc3339(self._clock.utc()),
            deadline_s=None if _is_revisions(deployment) else _deadline_s(deployment),
        )
        await write_status(self._client, deployment, status)
        reasons = (each["reason"] for each in status["conditions"] if each["type"] == "Progressing")
        return "ReplicaSetUpdated" in reasons


def _is_revisions(deployment: Object) -> bool:
    """Whether it is a revision's, whose deadline the revision watches."""
    return names.REVISION_LABEL in labels_of(deployment)


def _deadline_s(deployment: Object) -> float:
    return float(deployment["spec"].get("progressDeadlineSeconds") or _PROGRESS_DEADLINE_S)
