"""LocalModelCache, serving.kserve.io/v1alpha1: types, validation, lifecycle. It has no defaults."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import read
from rouse.api.localmodelcache.types import LocalModelCache
from rouse.api.localmodelcache.validation import validate

__all__ = ["LocalModelCache", "parse", "validate"]


def parse(obj: Object) -> LocalModelCache:
    """Read a LocalModelCache.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(LocalModelCache, obj)
