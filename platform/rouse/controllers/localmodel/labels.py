"""The label of the InferenceServices whose model a cache has, as KServe sets it, and its claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from rouse.api.base import Object
from rouse.api.localmodelnode.names import CLAIM_ANNOTATION, SERVICE_CACHE_LABEL
from rouse.controllers.localmodel.services import Use, use_of, uses_cache
from rouse.controllers.localmodel.sources import Sources
from rouse.controllers.localmodel.volumes import claim_name
from rouse.controllers.localmodel.wanted import is_wanted
from rouse.errors import NotFoundError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.objects import Key, key_of, labels_of
from rouse.kube.resources import INFERENCE_SERVICES

__all__ = ["LabelReconciler", "cache_of", "claim_of", "connect_labels"]

_MAX_VALUE: Final = 63


def cache_of(use: Use, caches: Iterable[Object]) -> Object | None:
    """Return the cache that a service uses: one of its namespace first, then by name.

    A name that is too long for a label is none.
    """
    found = [cache for cache in caches if is_wanted(cache) and uses_cache(use, cache)]
    found.sort(key=lambda cache: (not key_of(cache).namespace, key_of(cache).name))
    return next((one for one in found if len(key_of(one).name) <= _MAX_VALUE), None)


def claim_of(use: Use, cache: Object | None) -> str | None:
    """Return the claim that pods of a service mount; None before a node has the model.

    A pod that asks for a claim runs where its volume is, and waits until it is there.
    """
    if cache is None or not _is_somewhere(cache):
        return None
    return claim_name(cache, use.group or cache["spec"]["nodeGroups"][0])


def _is_somewhere(cache: Object) -> bool:
    return bool(((cache.get("status") or {}).get("copies") or {}).get("available"))


class LabelReconciler:
    """Sets label and claim of one InferenceService, or takes them away."""

    def __init__(self, client: KubeClient, sources: Sources) -> None:
        self._client = client
        self._sources = sources

    async def __call__(self, key: Key) -> None:
        """Reconcile one service; raises what makes a retry necessary."""
        service = self._sources.services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            return
        config = self._sources.config()
        use = use_of(service, config)
        cache = cache_of(use, self._sources.all_caches()) if use.uris else None
        label = key_of(cache).name if cache is not None else None
        claim = claim_of(use, cache) if config.model_cache.claims else None
        annotations = service["metadata"].get("annotations") or {}
        before = labels_of(service).get(SERVICE_CACHE_LABEL), annotations.get(CLAIM_ANNOTATION)
        if before == (label, claim):
            return
        said = {"labels": {SERVICE_CACHE_LABEL: label}, "annotations": {CLAIM_ANNOTATION: claim}}
        body = {"metadata": said}
        try:
            await self._client.patch(INFERENCE_SERVICES, key.name, body, namespace=key.namespace)
        except NotFoundError:
            return


def connect_labels(sources: Sources, enqueue: Callable[[Key], None]) -> None:
    """Let services, and caches that come, go or begin to, enqueue the services."""

    def on_service(type_: EventType, obj: Object) -> None:
        if type_ is not EventType.DELETED:
            enqueue(key_of(obj))

    def on_cache(type_: EventType, obj: Object, before: Object | None) -> None:
        # Most of its status, which changes often, is none of the services' business.
        if type_ is EventType.DELETED or before is None or _summary(obj) != _summary(before):
            for key in sources.services.all_keys():
                enqueue(key)

    sources.services.add_handler(on_service)
    sources.caches.add_change_handler(on_cache)
    sources.namespace_caches.add_change_handler(on_cache)


def _summary(cache: Object) -> tuple[bool, bool, Object]:
    return is_wanted(cache), _is_somewhere(cache), cache["spec"]
