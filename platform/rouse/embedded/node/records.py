"""Pods' records in the Kubernetes API: status written, ended ones forgotten, sources read."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from rouse.embedded.node.pod import PodRunner
from rouse.embedded.node.restarts import RestartBackoff
from rouse.embedded.node.sources import Kind
from rouse.embedded.node.status import make_pod_status
from rouse.errors import ApiError, ConflictError, NotFoundError
from rouse.kube import Key, KubeClient, PatchKind, Resource
from rouse.kube.objects import uid_of
from rouse.kube.resources import CONFIG_MAPS, PODS, SECRETS

__all__ = ["PodRecords"]

logger = logging.getLogger(__name__)

_SOURCES: Final[dict[Kind, Resource]] = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}


class PodRecords:
    """What the node reads and writes of pods in the API."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def write_status(self, runner: PodRunner) -> None:
        """Write the pod's status if its record is there and says something else.

        Raises ApiError; a record that is gone is not an error, the informer will say so.
        """
        key, uid = runner.key, uid_of(runner.pod)
        live = runner.pod.get("status") or {}
        wanted = make_pod_status(runner.state(), live, time.time())
        if not uid or all(live.get(field) == value for field, value in wanted.items()):
            return
        try:
            await self._client.patch(
                PODS,
                key.name,
                {"metadata": {"uid": uid}, "status": wanted},
                namespace=key.namespace,
                kind=PatchKind.MERGE,
                subresource="status",
            )
        except (NotFoundError, ConflictError):
            pass

    async def forget(self, key: Key, uid: str) -> None:
        """Take the record of an ended pod out of the API, trying until it is."""
        backoff = RestartBackoff(initial=0.05, maximum=5.0)
        while True:
            try:
                await self._client.delete(PODS, key.name, key.namespace, uid=uid, grace_seconds=0)
            except (NotFoundError, ConflictError):
                return  # gone, or another pod has the name by now
            except ApiError as error:
                logger.warning("pod %s has ended but its record stays: %s", key, error)
                if not error.retryable:
                    return
                await asyncio.sleep(backoff.next(0))
            else:
                return

    async def source(self, namespace: str, kind: Kind, name: str) -> dict[str, Any] | None:
        """A ConfigMap or Secret; None when there is none. Raises ApiError."""
        try:
            return await self._client.get(_SOURCES[kind], name, namespace)
        except NotFoundError:
            return None
