"""What InferenceServices want of nodes' caches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rouse.compiler.config import Config
from rouse.kube.objects import Key, key_of

__all__ = ["CACHE_ANNOTATION", "Use", "readers_of", "use_of", "uses_cache"]

CACHE_ANNOTATION: Final = "rouse.dev/model-cache"
"""``demand``: nodes on which the service may run keep its model; ``off``: they do not."""
_DISABLED: Final = "serving.kserve.io/disable-localmodel"
_GROUP: Final = "serving.kserve.io/nodegroup"
_MOUNTED: Final = ("pvc", "oci", "oci+native", "file")


@dataclass(frozen=True, slots=True)
class Use:
    """What one service wants."""

    service: Key
    uris: tuple[str, ...] = ()
    """Locations that would be fetched."""
    demand: bool = False
    """Whether nodes shall have them without a LocalModelCache."""
    group: str = ""
    """The LocalModelNodeGroup that it names."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes that it may run on."""
    min_replicas: int = 0
    """Pods that it always has."""


def use_of(service: Mapping[str, Any], config: Config) -> Use:
    """Read an InferenceService, of any age: its spec may be without defaults."""
    metadata = service["metadata"]
    annotations = metadata.get("annotations") or {}
    predictor = (service.get("spec") or {}).get("predictor") or {}
    given = annotations.get(CACHE_ANNOTATION, "")
    demand = given == "demand" or (config.model_cache.demand and given != "off")
    off = annotations.get(_DISABLED) == "true" or metadata.get("deletionTimestamp")
    return Use(
        key_of(service),
        () if off else tuple(dict.fromkeys(_uris(predictor))),
        demand=demand and not off,
        group=annotations.get(_GROUP, ""),
        node_selector=predictor.get("nodeSelector") or {},
        min_replicas=int(predictor.get("minReplicas") or 0),
    )


def readers_of(uses: Iterable[Use]) -> dict[str, frozenset[str]]:
    """Return the namespaces whose services want each location on demand."""
    found: dict[str, frozenset[str]] = {}
    for use in uses:
        for uri in use.uris if use.demand else ():
            found[uri] = found.get(uri, frozenset()) | {use.service.namespace}
    return found


def uses_cache(use: Use, cache: Mapping[str, Any]) -> bool:
    """Whether a service's model is, or lies below, the model of a cache; as on KServe."""
    namespace = key_of(cache).namespace
    if namespace and namespace != use.service.namespace:
        return False
    if use.group and use.group not in cache["spec"]["nodeGroups"]:
        return False
    source = cache["spec"]["sourceModelUri"].rstrip("/")
    return any(uri == source or uri.startswith(f"{source}/") for uri in use.uris)


def _uris(predictor: Mapping[str, Any]) -> Iterator[str]:
    # The model, or a block of KServe's old style, such as sklearn.
    blocks: Iterable[Any] = predictor.values()
    found = [each.get("storageUri") for each in blocks if isinstance(each, Mapping)]
    found += [each.get("uri") for each in predictor.get("storageUris") or ()]
    for uri in found:
        if isinstance(uri, str) and "://" in uri and uri.partition("://")[0] not in _MOUNTED:
            yield uri
