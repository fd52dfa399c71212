"""ClusterStorageContainer, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, atomic
from rouse.api.meta import ObjectMeta
from rouse.api.pods.containers import Container

__all__ = ["ClusterStorageContainer", "StorageContainerSpec", "SupportedUriFormat"]

MAX_FORMATS = 100

WorkloadType = Literal["initContainer", "localModelDownloadJob"]


class SupportedUriFormat(Model):
    """The model locations a container can fetch: those with a prefix, or matching a pattern."""

    prefix: Annotated[str, Field(min_length=1)] | None = None
    """How such a location starts, such as s3://."""
    regex: Annotated[str, Field(min_length=1)] | None = None
    """A regular expression that finds something in such a location."""


class StorageContainerSpec(Model):
    """A container that fetches models, and the locations it is for."""

    container: Container
    """The container; it is given the location and the folder as its arguments."""
    supported_uri_formats: Annotated[
        list[SupportedUriFormat], Field(min_length=1, max_length=MAX_FORMATS), atomic()
    ]
    """The model locations that this container fetches."""
    workload_type: Annotated[
        WorkloadType | None, Field(json_schema_extra={"default": "initContainer"})
    ] = None
    """Where it runs: as initContainer of every replica, or in the localModelDownloadJob that
    fills a node's cache."""
    supports_multi_model_download: Annotated[
        bool | None, Field(json_schema_extra={"default": False})
    ] = None
    """Whether one run can fetch several locations, given as pairs of arguments."""


class ClusterStorageContainer(Model):
    """A container of your own that fetches models from where Rouse's does not."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["ClusterStorageContainer"]
    metadata: ObjectMeta
    spec: StorageContainerSpec
    disabled: bool | None = None
    """Whether the container is not to be used."""
