"""The rules of a LocalModelCache that its types cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.storage import explain_uri
from rouse.api.localmodelcache.types import LocalModelCache, LocalModelCacheSpec
from rouse.api.names import is_dns_subdomain
from rouse.api.object_names import check_name
from rouse.api.quantities import check_positive
from rouse.errors import FieldError

__all__ = ["check_cache", "validate"]


def validate(cache: LocalModelCache, old: LocalModelCache | None = None) -> list[FieldError]:
    """Return every finding about a cache as the user gave it; ``old`` is what it replaces."""
    before = None if old is None else old.spec
    return [*check_name(cache.metadata), *check_cache(cache.spec, before)]


def check_cache(spec: LocalModelCacheSpec, old: LocalModelCacheSpec | None) -> Iterator[FieldError]:
    """Find what is wrong with a cache of either scope."""
    problem = explain_uri(spec.source_model_uri)
    if problem:
        yield FieldError("spec.sourceModelUri", problem)
    if old is not None and old.source_model_uri != spec.source_model_uri:
        yield FieldError(
            "spec.sourceModelUri",
            f'"{spec.source_model_uri}" cannot replace "{old.source_model_uri}": replicas use the '
            "copies; create another cache for the new model and delete this one when it is unused",
        )
    yield from check_positive(spec.model_size, "spec.modelSize")
    for index, group in enumerate(spec.node_groups):
        path = f"spec.nodeGroups[{index}]"
        if not is_dns_subdomain(group):
            yield FieldError(path, f'"{group}" is no name of a LocalModelNodeGroup')
        if group in spec.node_groups[:index]:
            yield FieldError(path, f'"{group}" is there already; remove one of them')
