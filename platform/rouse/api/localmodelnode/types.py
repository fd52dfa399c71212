"""LocalModelNode, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Object, Strings, atomic
from rouse.api.meta import Condition, ObjectMeta

__all__ = [
    "LocalModel",
    "LocalModelNode",
    "LocalModelNodeSpec",
    "LocalModelNodeStatus",
    "ModelState",
]

Text = Annotated[str, Field(min_length=1)]

ModelState = Literal[
    "", "ModelDownloadPending", "ModelDownloading", "ModelDownloaded", "ModelDownloadError"
]


class LocalModelStorage(Model):
    """How the source is reached: an entry of a storage configuration."""

    key: str | None = None
    """An entry of the Secret storage-config."""
    parameters: Strings | None = None
    """Settings that win over those of the entry."""


class LocalModel(Model):
    """A model that the node keeps."""

    model_name: Text
    """Name of the LocalModelCache or LocalModelNamespaceCache that wants it."""
    source_model_uri: Text
    """Where the model comes from."""
    namespace: str | None = None
    """The namespace that may read it: of the LocalModelNamespaceCache, or of the services that
    want it on demand; nothing for a LocalModelCache, which all may."""
    node_group: str | None = None
    """The LocalModelNodeGroup through which the node was chosen."""
    service_account_name: str | None = None
    """The ServiceAccount whose credentials the download uses."""
    storage: LocalModelStorage | None = None


class LocalModelNodeSpec(Model):
    """The models that a node keeps."""

    local_models: Annotated[list[LocalModel], atomic()]
    """The models that shall be on the node's disk; others are removed."""


class LocalModelNodeStatus(Model):
    """What was observed on a node."""

    model_status: dict[str, ModelState] | None = None
    """How far the download is, by model."""
    model_bytes: dict[str, int] | None = None
    """Sizes of models, where they are known; not a field of KServe's."""
    fetch_seconds: dict[str, int] | None = None
    """How long the last download of each took, rounded up; not a field of KServe's."""
    budget_bytes: int | None = None
    """What models may take together; not a field of KServe's."""
    conditions: list[Condition] | None = None
    """Why a model is not there, as Rouse's agent says it; not a field of KServe's."""


class LocalModelNode(Model):
    """The models on the disk of one node; it has the node's name."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["LocalModelNode"]
    metadata: ObjectMeta
    spec: LocalModelNodeSpec
    status: Object | None = None
    """What was observed; typed in `LocalModelNodeStatus`, read here as it is."""
