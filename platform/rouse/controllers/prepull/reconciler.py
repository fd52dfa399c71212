"""The reconcile of all pools together: their images are chosen from all InferenceServices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from rouse.api.base import Object
from rouse.coldstart.residency import demand_of
from rouse.compiler.config import CONFIG_NAMESPACE, Config
from rouse.compiler.errors import CompileError
from rouse.controllers.pacing import Pace
from rouse.controllers.prepull.choice import choose
from rouse.controllers.prepull.daemonset import (
    POOL_LABEL,
    images_of,
    make_daemon_set,
    pool_of_set,
)
from rouse.controllers.prepull.progress import ImageState, Progress, counted, progress_of
from rouse.controllers.prepull.settle import Settled, settle
from rouse.controllers.prepull.used import Use, uses_of
from rouse.errors import NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, key_of, uid_of
from rouse.kube.resources import PODS, RESOURCES

__all__ = ["DAEMON_SETS", "KEY", "Informers", "Reconciler", "Told", "Used", "UsesOf"]

logger = logging.getLogger(__name__)

DAEMON_SETS: Final = RESOURCES["apps/v1", "DaemonSet"]
KEY: Final = Key(CONFIG_NAMESPACE, "pre-pull")
"""The one key."""
_AGAIN_S: Final = 300.0
"""How often it is looked at what has become of the demand, which changes nothing else."""
_TOLD_NODES: Final = 3
_AT_ONCE: Final = 100

Told: TypeAlias = Callable[[str, Mapping[str, Mapping[str, int]]], None]
"""Told a pool, and of each of its images on how many nodes it is in each state."""
Used: TypeAlias = tuple[Object, list[Object], list[Object]]
"""An InferenceService with its revisions, and its Deployments in mode Standard."""
UsesOf: TypeAlias = Callable[[], Iterator[Used]]


@dataclass(frozen=True, slots=True)
class Informers:
    """What is followed: the DaemonSets, their pods, and the nodes (of somebody else)."""

    daemon_sets: Informer
    pods: Informer
    nodes: Informer

    @classmethod
    def of(cls, client: KubeClient, nodes: Informer) -> Informers:
        """Make the informers; none is started."""
        ours = InformerOptions(labels=POOL_LABEL)
        pods = InformerOptions(labels=POOL_LABEL, keep=_what_pods_tell, packed=True)
        return cls(
            Informer(client, DAEMON_SETS, CONFIG_NAMESPACE, ours),
            Informer(client, PODS, CONFIG_NAMESPACE, pods),
            nodes,
        )

    def own(self) -> tuple[Informer, ...]:
        """Return the informers that are to be started here."""
        return self.daemon_sets, self.pods


class Reconciler:
    """Brings the DaemonSets to what services need. Level-based."""

    def __init__(
        self,
        client: KubeClient,
        informers: Informers,
        services: UsesOf,
        config: Callable[[], Config],
        recorder: EventRecorder,
        *,
        clock: Callable[[], datetime],
        told: Told | None = None,
        own_image: str = "",
    ) -> None:
        self._client = client
        self._informers = informers
        self._services = services
        self._config = config
        self._recorder = recorder
        self._clock = clock
        self._told = told or (lambda _pool, _images: None)
        self._own_image = own_image
        self._pace = Pace()
        self._sizes: dict[str, int] = {}

    async def __call__(self, _key: Key) -> Requeue | None:
        """Apply what is wanted, delete what is not; raises what makes a retry necessary."""
        clock = asyncio.get_running_loop().time
        config = self._config()
        live = {pool_of_set(each): each for each in self._informers.daemon_sets.list()}
        if not config.pre_pull.enabled:
            await self._delete(live)
            return None
        rest = self._pace.rest(clock())
        if rest > 0:
            return Requeue(rest)
        began = clock()
        nodes = {
            node["metadata"]["name"]: node["status"]["images"]
            for node in self._informers.nodes.list()
        }
        settled = await self._choose(config, live, nodes)
        self._pace.took(clock() - began, clock())
        for pool, one in settled.items():
            if one.images:
                await self._bring(pool, one, config, live.get(pool), nodes)
        await self._delete({p: one for p, one in live.items() if not settled[p].images})
        return Requeue(min([_AGAIN_S, *(s.rest_s for s in settled.values() if s.rest_s > 0)]))

    async def _choose(
        self,
        config: Config,
        live: Mapping[str, Object],
        nodes: Mapping[str, Mapping[str, int]],
    ) -> dict[str, Settled]:
        now = self._clock()
        uses: list[Use] = []
        for at, (service, revisions, deployments) in enumerate(self._services()):
            if at % _AT_ONCE == 0:
                await asyncio.sleep(0)  # there may be thousands, and others wait
            if not service["metadata"].get("deletionTimestamp"):
                uses += uses_of(demand_of(service, now), revisions, deployments, config)
        told = {name: size for images in nodes.values() for name, size in images.items()}
        # What was too large and is gone again must not be tried anew.
        names = {*config.pre_pull.images, *(use.image for use in uses)}
        known = {**self._sizes, **told}
        self._sizes = {name: known[name] for name in names & known.keys()}
        present = {pool: images_of(one) for pool, one in live.items()}
        chosen = choose(uses, self._sizes, present, config)
        wait = config.pre_pull.settle_seconds
        return {
            pool: settle(
                live.get(pool),
                chosen.get(pool, ()),
                {use.image for use in uses if use.coming and use.pool == pool},
                now,
                # What is no pool any more keeps no images.
                wait if not pool or pool in config.node_pools else 0.0,
            )
            for pool in sorted(chosen.keys() | live.keys())
        }

    async def _bring(
        self,
        pool: str,
        settled: Settled,
        config: Config,
        live: Object | None,
        nodes: Mapping[str, Mapping[str, int]],
    ) -> None:
        pods = [pod for pod in self._informers.pods.list() if pool_of_set(pod) == pool]
        images = settled.images
        progress = progress_of(images, pods, nodes)
        counts = counted(images, progress)
        try:
            wanted = make_daemon_set(
                pool, images, config, counts, settled.changed, own_image=self._own_image
            )
        except CompileError as error:
            logger.warning("no images are pulled ahead for pool %s: %s", pool, error)
            return
        if await apply_if_differs(self._client, wanted, live) is not None and live is None:
            logger.info("wrote DaemonSet %s: %d images", key_of(wanted), len(images))
        self._told(pool, counts)
        if live is not None:
            self._warn(live, progress)

    def _warn(self, live: Object, progress: list[Progress]) -> None:
        failed = [each for each in progress if each.state is ImageState.FAILED]
        for image in dict.fromkeys(each.image for each in failed):
            of = [each for each in failed if each.image == image]
            nodes = ", ".join(each.node for each in of[:_TOLD_NODES])
            more = f" and {len(of) - _TOLD_NODES} more" if len(of) > _TOLD_NODES else ""
            message = f"{image} cannot be pulled on {nodes}{more}: {of[0].message}"
            self._recorder.emit(live, "Warning", "PrePullFailed", message)

    async def _delete(self, live: Mapping[str, Object]) -> None:
        for pool, one in live.items():
            if one["metadata"].get("deletionTimestamp"):
                continue
            key = key_of(one)
            try:
                await self._client.delete(DAEMON_SETS, key.name, key.namespace, uid=uid_of(one))
            except NotFoundError:
                continue
            logger.info("deleted DaemonSet %s", key)
            self._told(pool, {})


def _what_pods_tell(pod: Object) -> Object:
    """Keep where a pod is, and how its containers do."""
    kept = ("name", "namespace", "uid", "labels", "resourceVersion", "deletionTimestamp")
    status = pod.get("status") or {}
    told = {
        kind: [{name: each.get(name) for name in ("name", "state")} for each in status[kind]]
        for kind in ("initContainerStatuses", "containerStatuses")
        if status.get(kind)
    }
    return {
        "metadata": {name: v for name, v in pod["metadata"].items() if name in kept},
        "spec": {"nodeName": (pod.get("spec") or {}).get("nodeName", "")},
        "status": told,
    }
