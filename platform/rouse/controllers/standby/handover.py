"""A Deployment wakes: a standby pod gets its model, then its names, and its ReplicaSet adopts it.

The ReplicaSet has made a pod of its own meanwhile. With the standby it has one too many and deletes
the one that is not ready: Kubernetes' own rule. So nothing is lost where a standby pod fails, and
nothing is routed to one before its model answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from rouse.coldstart.standby import Place
from rouse.compiler.names import SERVICE_LABEL
from rouse.controllers.standby.names import CLAIM, NAME_LABEL, STANDBY_LABEL
from rouse.controllers.standby.shape import Fit
from rouse.controllers.standby.signing import Keys, Signer
from rouse.controllers.standby.sources import Sources, is_waking
from rouse.controllers.standby.telling import TellingError, tell
from rouse.errors import NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key, Object, key_of, labels_of, resource_version_of, uid_of
from rouse.kube.resources import PODS

__all__ = ["FAILED", "LOAD_S", "TAKEN", "HandOver"]

logger = logging.getLogger(__name__)

TAKEN: Final = "StandbyTaken"
FAILED: Final = "StandbyFailed"
LOAD_S: Final = 120.0
"""How long a standby pod may take to load its model."""


class HandOver:
    """Reconciles Deployments by key: one that wakes gets a standby pod, once per change of it."""

    def __init__(
        self,
        client: KubeClient,
        sources: Sources,
        keys: Keys,
        recorder: EventRecorder,
        settled: Callable[[Key], None],
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._in = sources
        self._keys = keys
        self._recorder = recorder
        self._settled = settled
        self._count = told or (lambda _result: None)
        self._tried: dict[Key, tuple[str, int]] = {}

    async def __call__(self, key: Key) -> None:
        """Give a Deployment a standby pod if it wakes and one waits."""
        deployment, signer = self._in.deployments.get(key), self._keys.signer
        if deployment is None:
            self._tried.pop(key, None)
            return
        attempt = (uid_of(deployment), deployment["metadata"].get("generation", 0))
        if signer is None or not is_waking(deployment) or self._tried.get(key) == attempt:
            return
        fit = self._in.fit(deployment)
        replica_set = self._in.replica_set_of(deployment)
        if fit is None or replica_set is None:
            # A ReplicaSet that is to come brings the key back.
            return
        waiting = self._in.waiting(Place(key.namespace, fit.shape.digest), signer.public.name)
        pod = next(waiting, None)
        if pod is None:
            return
        self._in.taken[key] += 1
        try:
            await self._take(pod, deployment, fit, replica_set, signer, attempt)
        finally:
            self._settled(key)

    async def _take(
        self,
        pod: Object,
        deployment: Object,
        fit: Fit,
        replica_set: Object,
        signer: Signer,
        attempt: tuple[str, int],
    ) -> None:
        key, name = key_of(deployment), key_of(pod).name
        claimed = await self._claim(pod, key)
        self._tried[key] = attempt
        why = await self._told(claimed, deployment, fit, signer, attempt)
        if why:
            logger.warning("standby pod %s was not taken for %s: %s", name, key, why)
            self._count("failed")
            self._tell(deployment, "Warning", FAILED, f"Standby pod {name} was not taken: {why}")
            return
        # Where this fails nobody knows whether it was done: `Pools` looks at the pod again.
        await self._rename(claimed, fit, replica_set)
        logger.info("standby pod %s serves for %s", name, key)
        self._count("taken")
        self._tell(deployment, "Normal", TAKEN, f"Standby pod {name} serves for {key.name}")

    async def _told(
        self, pod: Object, deployment: Object, fit: Fit, signer: Signer, attempt: tuple[str, int]
    ) -> str:
        """Let the pod serve; return why it does not, after it was dropped."""
        key = key_of(deployment)
        try:
            async with asyncio.timeout(LOAD_S):
                await tell(pod, key, fit, signer, lambda: self._is_wanted(key, attempt))
            if self._is_wanted(key, attempt):
                return ""
            why = "somebody else serves by now, or nobody is to any more"
        except TellingError as error:
            why = str(error)
        except TimeoutError:
            why = f"its model did not answer within {LOAD_S:g} s"
        except BaseException:
            await self._drop(pod)
            raise
        # It has, or may have, a model: it waits for no other.
        await self._drop(pod)
        return why

    def _is_wanted(self, key: Key, attempt: tuple[str, int]) -> bool:
        live = self._in.deployments.get(key)
        return live is not None and is_waking(live) and uid_of(live) == attempt[0]

    async def _claim(self, pod: Object, deployment: Key) -> Object:
        """Note whom the pod is for; ConflictError when somebody else has."""
        body = {
            "metadata": {
                "annotations": {CLAIM: deployment.name},
                "resourceVersion": resource_version_of(pod),
            }
        }
        key = key_of(pod)
        return await self._client.patch(PODS, key.name, body, namespace=key.namespace)

    async def _rename(self, pod: Object, fit: Fit, replica_set: Object) -> None:
        """Give the pod the labels of the ReplicaSet, by which it is adopted and routed to."""
        labels: dict[str, str | None] = {
            name: None for name in (STANDBY_LABEL, NAME_LABEL) if name in labels_of(pod)
        }
        body = {
            "metadata": {
                "uid": uid_of(pod),
                "labels": labels | dict(replica_set["labels"]),
                "annotations": dict(fit.handed.annotations),
            }
        }
        key = key_of(pod)
        await self._client.patch(PODS, key.name, body, namespace=key.namespace)

    async def _drop(self, pod: Object) -> None:
        key = key_of(pod)
        try:
            await self._client.delete(PODS, key.name, key.namespace, uid=uid_of(pod))
        except NotFoundError:
            logger.debug("standby pod %s is gone already", key)

    def _tell(self, deployment: Object, type_: str, reason: str, message: str) -> None:
        service = labels_of(deployment).get(SERVICE_LABEL, "")
        live = self._in.services.get(Key(key_of(deployment).namespace, service))
        self._recorder.emit(live or deployment, type_, reason, message)
