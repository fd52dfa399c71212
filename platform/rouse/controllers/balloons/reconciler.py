"""The reconcile of all balloons together: they are few, and made from one ConfigMap."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from rouse.compiler.balloons import BALLOON_LABEL, make_balloons
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, Config
from rouse.errors import NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, key_of, labels_of, uid_of
from rouse.kube.resources import DEPLOYMENTS

__all__ = ["KEY", "Reconciler", "Told", "balloon_informer"]

logger = logging.getLogger(__name__)

KEY: Final = Key(CONFIG_NAMESPACE, CONFIG_MAP)
"""The one key: the settings."""
_FORESEE_S: Final = 30.0

Told: TypeAlias = Callable[[str, int, int], None]
"""Told a pool, how many balloons it is to have, and how many hold a place."""


def balloon_informer(client: KubeClient) -> Informer:
    """Follow the Deployments of balloons."""
    return Informer(client, DEPLOYMENTS, CONFIG_NAMESPACE, InformerOptions(labels=BALLOON_LABEL))


class Reconciler:
    """Brings the Deployments of balloons to what the settings ask for. Level-based.

    ``expected`` says how many models are about to wake on a pool.
    """

    def __init__(
        self,
        client: KubeClient,
        deployments: Informer,
        config: Callable[[], Config],
        told: Told | None = None,
        expected: Callable[[str], int] = lambda _pool: 0,
    ) -> None:
        self._client = client
        self._deployments = deployments
        self._config = config
        self._expected = expected
        self._told = told or (lambda _pool, _wanted, _ready: None)

    async def __call__(self, _key: Key) -> Requeue | None:
        """Apply what is wanted, delete what is not."""
        config = self._config()
        wanted = {key_of(one): one for one in make_balloons(config, self._expected)}
        for key, balloons in wanted.items():
            live = self._deployments.get(key)
            if await apply_if_differs(self._client, balloons, live) is not None:
                logger.info("wrote Deployment %s", key)
            ready = ((live or {}).get("status") or {}).get("readyReplicas") or 0
            self._told(labels_of(balloons)[BALLOON_LABEL], balloons["spec"]["replicas"], ready)
        for live in self._deployments.list():
            key = key_of(live)
            if key in wanted or live["metadata"].get("deletionTimestamp"):
                continue
            try:
                await self._client.delete(DEPLOYMENTS, key.name, key.namespace, uid=uid_of(live))
            except NotFoundError:
                continue
            logger.info("deleted Deployment %s", key)
            self._told(labels_of(live)[BALLOON_LABEL], 0, 0)
        foresees = any(pool.balloons.forecast for pool in config.node_pools.values())
        return Requeue(_FORESEE_S) if foresees else None
