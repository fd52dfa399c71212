"""The rules of a LocalModelNamespaceCache: those of a LocalModelCache."""

from __future__ import annotations

from rouse.api.localmodelcache.validation import check_cache
from rouse.api.localmodelnamespacecache.types import LocalModelNamespaceCache
from rouse.api.object_names import check_name
from rouse.errors import FieldError

__all__ = ["validate"]


def validate(
    cache: LocalModelNamespaceCache, old: LocalModelNamespaceCache | None = None
) -> list[FieldError]:
    """Return every finding about a cache as the user gave it; ``old`` is what it replaces."""
    before = None if old is None else old.spec
    return [*check_name(cache.metadata), *check_cache(cache.spec, before)]
