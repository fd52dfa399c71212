"""LocalModelNamespaceCache, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Literal

from rouse.api.base import Model, Object
from rouse.api.localmodelcache.types import LocalModelCacheSpec
from rouse.api.meta import ObjectMeta

__all__ = ["LocalModelNamespaceCache"]


class LocalModelNamespaceCache(Model):
    """Keeps a model on the disks of nodes, for the services of one namespace."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["LocalModelNamespaceCache"]
    metadata: ObjectMeta
    spec: LocalModelCacheSpec
    status: Object | None = None
    """What was observed; typed in `LocalModelCacheStatus`, read here as it is."""
