"""ServingRuntime and ClusterServingRuntime, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Object, Strings, atomic, keyed_by
from rouse.api.meta import ObjectMeta
from rouse.api.pods.containers import Container, EnvVar
from rouse.api.pods.pod import Affinity, LocalObjectReference, ResourceClaimSource, Toleration
from rouse.api.pods.volumes import Volume

__all__ = [
    "ClusterServingRuntime",
    "RuntimeWorkerSpec",
    "ServingRuntime",
    "ServingRuntimeSpec",
    "SupportedModelFormat",
]


class SupportedModelFormat(Model):
    """A model format that the runtime serves."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the format, such as sklearn."""
    version: str | None = None
    """Version of the format; compared as text with that of the model."""
    auto_select: bool | None = None
    """Whether the runtime may be chosen for a model that names no runtime."""
    priority: Annotated[int, Field(ge=1)] | None = None
    """The runtime with the highest priority is chosen; one without comes last."""


class BuiltInAdapter(Model):
    """How ModelMesh manages the runtime."""

    server_type: str | None = None
    runtime_management_port: int | None = None
    mem_buffer_bytes: int | None = None
    model_loading_timeout_millis: int | None = None
    env: Annotated[list[EnvVar] | None, keyed_by("name")] = None


class StorageHelper(Model):
    """The storage helper of ModelMesh."""

    disabled: bool | None = None


class RuntimeWorkerSpec(Model):
    """The pods on other nodes; worker-container is the one that computes."""

    containers: Annotated[list[Container], Field(min_length=1), keyed_by("name")]
    """The container of each pod; its name is worker-container."""
    pipeline_parallel_size: Annotated[int | None, Field(ge=1)] = None
    """In how many stages the layers are cut; 1 when not given."""
    tensor_parallel_size: Annotated[int | None, Field(ge=1)] = None
    """Over how many GPUs each stage is spread; 1 when not given."""
    annotations: Strings | None = None
    """Annotations for the pods; those of the InferenceService win."""
    labels: Strings | None = None
    """Labels for the pods; those of the InferenceService win."""
    node_selector: Strings | None = None
    """Labels that the nodes must have."""
    affinity: Affinity | None = None
    """Nodes and neighbours that the pods want or avoid."""
    tolerations: Annotated[list[Toleration] | None, atomic()] = None
    """Taints of nodes that the pods accept."""
    volumes: Annotated[list[Volume] | None, keyed_by("name")] = None
    """Volumes that the container mounts."""
    image_pull_secrets: Annotated[list[LocalObjectReference] | None, atomic()] = None
    """Secrets with the credentials of image registries."""
    host_ipc: Annotated[bool | None, Field(alias="hostIPC")] = None
    """Whether the pods share the node's inter-process communication."""
    scheduler_name: str | None = None
    """The scheduler that chooses the nodes."""
    resource_claims: Annotated[list[ResourceClaimSource] | None, keyed_by("name")] = None
    """Resource claims that the container uses."""


class ServingRuntimeSpec(Model):
    """The containers that serve certain model formats."""

    containers: Annotated[list[Container], Field(min_length=1), keyed_by("name")]
    """The containers; kserve-container is the one that serves.

    {{.Name}}, {{.Namespace}}, {{.Labels.x}} and {{.Annotations.x}} stand for the metadata of the
    InferenceService."""
    supported_model_formats: Annotated[list[SupportedModelFormat] | None, atomic()] = None
    protocol_versions: Annotated[list[str] | None, atomic()] = None
    """Prediction protocols the runtime speaks: v1, v2, grpc-v1, grpc-v2; every one when not given.

    Others may be listed, as on KServe; no model asks for them."""
    multi_model: bool | None = None
    """Whether one replica serves several models (ModelMesh)."""
    disabled: bool | None = None
    """Whether the runtime is not to be used."""
    annotations: Strings | None = None
    """Annotations for the pods; those of the InferenceService win."""
    labels: Strings | None = None
    """Labels for the pods; those of the InferenceService win."""
    node_selector: Strings | None = None
    affinity: Affinity | None = None
    tolerations: Annotated[list[Toleration] | None, atomic()] = None
    volumes: Annotated[list[Volume] | None, keyed_by("name")] = None
    image_pull_secrets: Annotated[list[LocalObjectReference] | None, atomic()] = None
    host_ipc: Annotated[bool | None, Field(alias="hostIPC")] = None
    scheduler_name: str | None = None
    resource_claims: Annotated[list[ResourceClaimSource] | None, keyed_by("name")] = None
    grpc_endpoint: str | None = None
    grpc_data_endpoint: str | None = None
    http_data_endpoint: str | None = None
    replicas: Annotated[int, Field(ge=0)] | None = None
    built_in_adapter: BuiltInAdapter | None = None
    storage_helper: StorageHelper | None = None
    worker_spec: RuntimeWorkerSpec | None = None
    """Further pods, on other nodes, that serve one model together."""


class _Runtime(Model):
    """What both kinds share."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: str
    metadata: ObjectMeta
    spec: ServingRuntimeSpec
    status: Object | None = None


class ServingRuntime(_Runtime):
    """A model server for the InferenceServices of one namespace."""

    kind: Literal["ServingRuntime"]


class ClusterServingRuntime(_Runtime):
    """A model server for the InferenceServices of every namespace."""

    kind: Literal["ClusterServingRuntime"]
