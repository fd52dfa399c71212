"""The label of the InferenceServices whose model a cache has, as KServe sets it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from rouse.api.base import Object
from rouse.api.localmodelnode.names import SERVICE_CACHE_LABEL
from rouse.controllers.localmodel.services import Use, use_of, uses_cache
from rouse.controllers.localmodel.sources import Sources
from rouse.controllers.localmodel.wanted import is_wanted
from rouse.errors import NotFoundError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.objects import Key, key_of, labels_of
from rouse.kube.resources import INFERENCE_SERVICES

__all__ = ["LabelReconciler", "cache_of", "connect_labels"]

_MAX_VALUE: Final = 63


def cache_of(use: Use, caches: Iterable[Object]) -> str | None:
    """Return the name of the cache that a service uses: one of its namespace first, then by name.

    A name that is too long for a label is none.
    """
    found = [key_of(cache) for cache in caches if is_wanted(cache) and uses_cache(use, cache)]
    names = [key.name for key in sorted(found, key=lambda key: (not key.namespace, key.name))]
    return next((name for name in names if len(name) <= _MAX_VALUE), None)


class LabelReconciler:
    """Sets the label of one InferenceService, or takes it away."""

    def __init__(self, client: KubeClient, sources: Sources) -> None:
        self._client = client
        self._sources = sources

    async def __call__(self, key: Key) -> None:
        """Reconcile one service; raises what makes a retry necessary."""
        service = self._sources.services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            return
        use = use_of(service, self._sources.config())
        wanted = cache_of(use, self._sources.all_caches()) if use.uris else None
        if labels_of(service).get(SERVICE_CACHE_LABEL) == wanted:
            return
        body = {"metadata": {"labels": {SERVICE_CACHE_LABEL: wanted}}}
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
        # Its status, which changes often, is none of the services' business.
        if type_ is EventType.DELETED or before is None or _summary(obj) != _summary(before):
            for key in sources.services.all_keys():
                enqueue(key)

    sources.services.add_handler(on_service)
    sources.caches.add_change_handler(on_cache)
    sources.namespace_caches.add_change_handler(on_cache)


def _summary(cache: Object) -> tuple[bool, Object]:
    return is_wanted(cache), cache["spec"]
