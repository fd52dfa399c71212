"""The kinds as Kubernetes lists them: scope, short names, printed columns, subresources."""

from __future__ import annotations

from dataclasses import dataclass

from rouse.api.base import Model
from rouse.api.clusterstoragecontainer.types import ClusterStorageContainer
from rouse.api.inferencegraph.types import InferenceGraph, InferenceGraphStatus
from rouse.api.inferenceservice.status import InferenceServiceStatus
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.localmodelcache.types import LocalModelCache, LocalModelCacheStatus
from rouse.api.localmodelnamespacecache.types import LocalModelNamespaceCache
from rouse.api.localmodelnode.types import LocalModelNode, LocalModelNodeStatus
from rouse.api.localmodelnodegroup.types import LocalModelNodeGroup, LocalModelNodeGroupStatus
from rouse.api.servingruntime.types import ClusterServingRuntime, ServingRuntime
from rouse.api.trainedmodel.types import TrainedModel, TrainedModelStatus

__all__ = ["DEFINITIONS", "Definition"]

Columns = tuple[tuple[str, str, str], ...]
"""Title, type and JSON path of each column."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind, and how the API server offers it."""

    model: type[Model]
    status: type[Model] | None = None
    version: str = "v1alpha1"
    cluster: bool = False
    short_names: tuple[str, ...] = ()
    columns: Columns = ()
    status_subresource: bool = False

    @property
    def kind(self) -> str:
        """The kind, which is the name of its type."""
        return self.model.__name__


_LATEST = ".status.components.predictor.traffic[?(@.latestRevision==true)]"
_PREVIOUS = ".status.components.predictor.traffic[?(@.tag=='prev')]"
_AGE = ("Age", "date", ".metadata.creationTimestamp")

_URL = ("URL", "string", ".status.url")
_READY = ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")

_SERVICE_COLUMNS = (
    _URL,
    _READY,
    ("Prev", "integer", f"{_PREVIOUS}.percent"),
    ("Latest", "integer", f"{_LATEST}.percent"),
    ("PrevRolledoutRevision", "string", f"{_PREVIOUS}.revisionName"),
    ("LatestReadyRevision", "string", f"{_LATEST}.revisionName"),
    _AGE,
)

_RUNTIME_COLUMNS = (
    ("Disabled", "boolean", ".spec.disabled"),
    ("ModelType", "string", ".spec.supportedModelFormats[*].name"),
    ("Containers", "string", ".spec.containers[*].name"),
    _AGE,
)

DEFINITIONS = (
    Definition(
        InferenceService,
        InferenceServiceStatus,
        version="v1beta1",
        short_names=("isvc",),
        columns=_SERVICE_COLUMNS,
        status_subresource=True,
    ),
    Definition(ServingRuntime, columns=_RUNTIME_COLUMNS),
    Definition(ClusterServingRuntime, columns=_RUNTIME_COLUMNS, cluster=True),
    Definition(
        InferenceGraph,
        InferenceGraphStatus,
        short_names=("ig",),
        columns=(_URL, _READY, _AGE),
        status_subresource=True,
    ),
    Definition(
        TrainedModel,
        TrainedModelStatus,
        short_names=("tm",),
        columns=(_URL, _READY, _AGE),
        status_subresource=True,
    ),
    Definition(ClusterStorageContainer, cluster=True),
    Definition(LocalModelCache, LocalModelCacheStatus, cluster=True, status_subresource=True),
    Definition(LocalModelNamespaceCache, LocalModelCacheStatus, status_subresource=True),
    Definition(LocalModelNode, LocalModelNodeStatus, cluster=True, status_subresource=True),
    # Its status is part of the object: there is no subresource upstream.
    Definition(LocalModelNodeGroup, LocalModelNodeGroupStatus, cluster=True),
)
