"""LocalModelCache, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Object, Quantity, Strings, atomic
from rouse.api.meta import ObjectMeta

__all__ = [
    "CacheStorage",
    "Copies",
    "LocalModelCache",
    "LocalModelCacheSpec",
    "LocalModelCacheStatus",
    "NodeState",
]

Text = Annotated[str, Field(min_length=1)]

NodeState = Literal[
    "",
    "NodeNotReady",
    "NodeDownloadPending",
    "NodeDownloading",
    "NodeDownloaded",
    "NodeDownloadError",
]


class CacheStorage(Model):
    """How the source is reached: an entry of a storage configuration."""

    key: str | None = None
    """An entry of the Secret storage-config."""
    parameters: Strings | None = None
    """Settings that win over those of the entry."""


class LocalModelCacheSpec(Model):
    """A model and the groups of nodes that keep a copy of it."""

    source_model_uri: Text
    """Where the model comes from; it cannot change later."""
    model_size: Quantity
    """Room the model takes on a disk, such as 2Gi."""
    node_groups: Annotated[list[Text], Field(min_length=1), atomic()]
    """The LocalModelNodeGroups whose nodes keep a copy."""
    service_account_name: str | None = None
    """The ServiceAccount whose credentials the download uses."""
    storage: CacheStorage | None = None


class Copies(Model):
    """Copies of the model, counted by node."""

    total: int | None = None
    """Nodes that shall have a copy."""
    available: int | None = None
    """Nodes that have one."""
    failed: int | None = None
    """Nodes whose download failed."""


class ObjectReference(Model):
    """An object that uses the model."""

    name: str | None = None
    """Name of the object."""
    namespace: str | None = None
    """Namespace of the object."""


class LocalModelCacheStatus(Model):
    """What was observed of a LocalModelCache."""

    node_status: dict[str, NodeState] | None = None
    """How far the download is, by node."""
    copies: Copies | None = None
    inference_services: list[ObjectReference] | None = None
    """The InferenceServices that use the copies."""
    llm_inference_services: Annotated[
        list[ObjectReference] | None, Field(alias="llmInferenceServices")
    ] = None
    """The LLMInferenceServices that use the copies."""


class LocalModelCache(Model):
    """Keeps a model on the disks of nodes, for the services of every namespace."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["LocalModelCache"]
    metadata: ObjectMeta
    spec: LocalModelCacheSpec
    status: Object | None = None
    """What was observed; typed in `LocalModelCacheStatus`, read here as it is."""
