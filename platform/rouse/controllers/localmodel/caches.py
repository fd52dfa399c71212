"""The reconcile of one cache: volumes, status, and leaving the nodes before it goes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress

from rouse.api.base import Object
from rouse.api.localmodelnode.names import model_key
from rouse.compiler.names import MANAGED_BY
from rouse.controllers.localmodel.sources import (
    CACHES,
    CLAIMS,
    NAMESPACE_CACHES,
    VOLUMES,
    Sources,
)
from rouse.controllers.localmodel.volumes import make_volumes, selector_of
from rouse.controllers.localmodel.wanted import is_wanted, make_status
from rouse.errors import NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key, key_of, labels_match, resource_version_of, uid_of
from rouse.kube.resources import resource_of

__all__ = ["FINALIZER", "CacheReconciler"]

logger = logging.getLogger(__name__)

FINALIZER = "localmodel.kserve.io/finalizer"
"""KServe's: a cache stays until no node keeps its model."""
_AGAIN_S = 5.0


class CacheReconciler:
    """Brings the objects of a LocalModelCache, or of a namespace's, to what it asks for."""

    def __init__(self, client: KubeClient, sources: Sources, recorder: EventRecorder) -> None:
        self._client = client
        self._sources = sources
        self._recorder = recorder
        self._kept: dict[Key, set[tuple[str, Key]]] = {}
        """What was wanted of each cache when the API was last asked what else there is."""

    async def __call__(self, key: Key) -> Requeue | None:
        """Reconcile one cache; raises what makes a retry necessary."""
        cache = self._sources.cache(key)
        if cache is None:
            self._kept.pop(key, None)
            return None
        if not is_wanted(cache):
            return await self._leave(cache)
        finalizers = cache["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            await self._finalize(cache, [*finalizers, FINALIZER])
            return None
        self._check_groups(cache)
        groups = self._sources.groups_by_name()
        volumes = make_volumes(cache, groups, self._sources.uses())
        for wanted in volumes:
            await self._write(cache, wanted)
        await self._remove_others(cache, volumes)
        await self._tell(cache)
        return None

    def _check_groups(self, cache: Object) -> None:
        known = self._sources.groups_by_name()
        missing = [name for name in cache["spec"]["nodeGroups"] if name not in known]
        if missing:
            message = f"there is no LocalModelNodeGroup {', '.join(missing)}: no node has the model"
            self._recorder.emit(cache, "Warning", "NodeGroupNotFound", message)

    async def _write(self, cache: Object, wanted: Object) -> None:
        resource, key = resource_of(wanted), key_of(wanted)
        try:
            live = await self._client.get(resource, key.name, key.namespace or None)
        except NotFoundError:
            live = None
        if live is None:
            await apply_if_differs(self._client, wanted, None)
        elif not labels_match(MANAGED_BY, live):
            # A volume's spec cannot be changed once it is there, so an own one is left as it is.
            message = f"{live['kind']} {key} was made by someone else; it is left alone"
            self._recorder.emit(cache, "Warning", "NotOwned", message)

    async def _tell(self, cache: Object) -> None:
        before = cache.get("status") or {}
        status = make_status(
            cache,
            self._sources.groups_by_name(),
            self._sources.nodes.list(),
            {each["metadata"]["name"]: each for each in self._sources.local_nodes.list()},
            self._sources.uses(),
        )
        if any(before.get(name) != value for name, value in status.items()):
            await self._client.replace(
                {**cache, "status": {**before, **status}}, subresource="status"
            )

    async def _leave(self, cache: Object) -> Requeue | None:
        """Let go once no node is asked for the model any more."""
        finalizers = cache["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return None
        if self._holders(key_of(cache)):
            return Requeue(_AGAIN_S)
        if key_of(cache).namespace:
            # The garbage collector cannot know volumes to be those of a namespace's cache.
            await self._remove_others(cache, ())
        await self._finalize(cache, [each for each in finalizers if each != FINALIZER])
        return None

    def _holders(self, key: Key) -> list[str]:
        return [
            local["metadata"]["name"]
            for local in self._sources.local_nodes.list()
            if str(key) in map(model_key, local["spec"].get("localModels") or ())
        ]

    async def _remove_others(self, cache: Object, wanted: Iterable[Object]) -> None:
        """Delete what was made for namespaces that have no service of the model any more.

        Kubernetes keeps a claim that a pod still uses until that has ended.
        """
        names = {(each["kind"], key_of(each)) for each in wanted}
        if self._kept.get(key_of(cache)) == names:
            return
        for resource in (CLAIMS, VOLUMES):
            for live in (await self._client.list(resource, labels=selector_of(cache))).items:
                key = key_of(live)
                if (resource.kind, key) in names:
                    continue
                with suppress(NotFoundError):
                    namespace = key.namespace or None
                    await self._client.delete(resource, key.name, namespace, uid=uid_of(live))
        self._kept[key_of(cache)] = names

    async def _finalize(self, cache: Object, finalizers: list[str]) -> None:
        key = key_of(cache)
        version = resource_version_of(cache)
        body = {"metadata": {"finalizers": finalizers, "resourceVersion": version}}
        resource = NAMESPACE_CACHES if key.namespace else CACHES
        try:
            await self._client.patch(resource, key.name, body, namespace=key.namespace or None)
        except NotFoundError:
            logger.debug("%s is gone already", key)
