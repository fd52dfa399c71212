"""Names by which the controller of caches and the agents of nodes understand each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "CLAIM_ANNOTATION",
    "LABEL_PREFIX",
    "SERVICE_CACHE_LABEL",
    "TWINS",
    "demand_name",
    "is_on_demand",
    "model_key",
    "node_label",
    "twin_folder",
]

_DEMAND: Final = "on-demand:"
LABEL_PREFIX: Final = "model.rouse.dev/"
"""Of the labels of nodes that say which models they have."""
SERVICE_CACHE_LABEL: Final = "internal.serving.kserve.io/localmodel"
"""Of an InferenceService: the cache that has its model."""
CLAIM_ANNOTATION: Final = "internal.serving.kserve.io/localmodel-pvc-name"
"""Of an InferenceService: the claim through which its new pods read that cache."""
TWINS: Final = "twins"
"""The folder of a node's cache that pods keep twins in, see `twin_folder`."""


def demand_name(uri: str) -> str:
    """The name of a model that services want and no cache does; no cache can be called so."""
    return _DEMAND + _short(uri)


def is_on_demand(name: str) -> bool:
    """Whether a model may go again where room is short."""
    return name.startswith(_DEMAND)


def model_key(model: Mapping[str, Any]) -> str:
    """Return what a model of a LocalModelNode is called in its status."""
    namespace, name = model.get("namespace"), str(model["modelName"])
    return f"{namespace}/{name}" if namespace else name


def node_label(uri: str) -> str:
    """The label of the nodes that have the model of a location."""
    return LABEL_PREFIX + _short(uri)


def twin_folder(namespace: str, uri: str) -> str:
    """Where below `TWINS` the pods of a namespace keep the twin of a location's model."""
    return f"{namespace}/{_short(uri)}"


def _short(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:20]
