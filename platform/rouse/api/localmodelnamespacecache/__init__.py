"""LocalModelNamespaceCache, serving.kserve.io/v1alpha1: a LocalModelCache for one namespace.

Spec, status, rules and lifecycle are those of `rouse.api.localmodelcache`.
"""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import read
from rouse.api.localmodelnamespacecache.types import LocalModelNamespaceCache
from rouse.api.localmodelnamespacecache.validation import validate

__all__ = ["LocalModelNamespaceCache", "parse", "validate"]


def parse(obj: Object) -> LocalModelNamespaceCache:
    """Read a LocalModelNamespaceCache.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(LocalModelNamespaceCache, obj)
