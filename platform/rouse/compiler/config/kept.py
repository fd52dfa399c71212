"""What nodes keep before anybody asks: models, and images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import inf

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rouse.api.quantities import amount
from rouse.errors import FieldError

__all__ = ["ModelCache", "PrePull", "kept_rules"]

_CLOSED = ConfigDict(extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCache:
    """The models that nodes keep on their disks; see LocalModelNodeGroup."""

    __pydantic_config__ = _CLOSED

    demand: bool = False
    """Keep the model of every InferenceService on some of the nodes where it may run."""
    copies: int = 2
    """On how many nodes, or on minReplicas of them if that is more; 0: on all where it may run."""
    node_group: str = ""
    """The LocalModelNodeGroup of those nodes, where no annotation names another."""
    claims: bool = False
    """Let pods mount the claims of the caches that have their model, as on KServe: where the
    volumes of the LocalModelNodeGroups are the folder of the nodes' agents."""
    host_path: str = ""
    """The folder of the nodes' agents, of which pods read what is their namespace's; empty: they do
    not."""
    twins: bool = True
    """Let pods that read that folder keep the twin of their model beside it, for the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrePull:
    """Images that nodes get before a pod needs them; the bounds are those of each node pool."""

    __pydantic_config__ = _CLOSED

    enabled: bool = False
    max_images: int = 20
    max_bytes: str = "50Gi"
    """A quantity: what they take together on a node, unpacked."""
    settle_seconds: float = 300.0
    """How long the images of a pool stay as they are, unless a roll-out needs another one."""
    images: tuple[str, ...] = ()
    """Images that every pool with models gets, before others."""
    image_pull_secrets: tuple[str, ...] = ()
    """Secrets of rouse-system that open registries."""
    image: str = ""
    """What writes the program that images run, empty: the controller's own image; not asked for
    with image volumes."""
    image_volumes: bool = False
    """Mount the images instead of running them; needs Kubernetes 1.33, and a namespace rouse-system
    that allows more than the Pod Security Standard "restricted"."""


def kept_rules(cache: ModelCache, pulled: PrePull) -> Iterator[FieldError]:
    """Yield what cannot be."""
    if cache.copies < 0:
        yield FieldError("modelCache.copies", f"must be 0 or more, not {cache.copies}")
    if pulled.max_images < 1:
        yield FieldError("prePull.maxImages", f"must be 1 or more, not {pulled.max_images}")
    if not 0 <= pulled.settle_seconds < inf:
        yield FieldError(
            "prePull.settleSeconds", f"must be 0 or more, not {pulled.settle_seconds:g}"
        )
    try:
        size = amount(pulled.max_bytes)
    except InvalidOperation:
        size = Decimal(0)
    if size <= 0:
        yield FieldError(
            "prePull.maxBytes", f'"{pulled.max_bytes}" is no size; give one such as 50Gi'
        )
