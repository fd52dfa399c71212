"""What predictor, transformer and explainer have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import IntOrString, Model, Strings, atomic
from rouse.api.inferenceservice.autoscaling import AutoScaling
from rouse.api.pods.pod import PodSpec

__all__ = [
    "Batcher",
    "ComponentSpec",
    "Logger",
    "LoggerStorage",
    "StorageSpec",
    "StorageUri",
]

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]


class LoggerStorage(Model):
    """Keeps requests and responses as files in the bucket that the logger's url names."""

    key: str | None = None
    """Taken for KServe's sake and not used, as there: the service account opens the bucket."""
    path: str | None = None
    """Folder of the files, below the namespace, service and component; logs when not given."""
    parameters: Strings | None = None
    """format: json (when not given), csv or parquet; type and bucket where there is no url."""
    service_account_name: str | None = None
    """Whose Secrets open the bucket; logger-sa when not given."""


class Logger(Model):
    """Sends requests and responses as CloudEvents to a URL, or stores them in a bucket."""

    url: str | None = None
    """Where the events go; the default broker of the namespace when not given.

    With storage a bucket: s3://, gs:// or abfs://."""
    mode: Literal["all", "request", "response"] | None = None
    """What is sent; all when not given."""
    metadata_headers: Annotated[list[str] | None, atomic()] = None
    metadata_annotations: Annotated[list[str] | None, atomic()] = None
    storage: LoggerStorage | None = None
    marshaller_url: str | None = None
    batch_size: Positive | None = None
    batch_interval: str | None = None


class Batcher(Model):
    """Puts single requests together into one call of the model."""

    max_batch_size: Positive | None = None
    """Instances per batch at most; 32 when not given."""
    max_latency: Positive | None = None
    """Milliseconds a batch waits to be filled at most; 5000 when not given."""
    timeout: Positive | None = None


class StorageSpec(Model):
    """A model location by the name of a storage configuration."""

    key: str | None = None
    """An entry of the Secret storage-config."""
    path: str | None = None
    schema_path: str | None = None
    parameters: Strings | None = None


class StorageUri(Model):
    """One of several model locations."""

    uri: Annotated[str, Field(min_length=1)]
    mount_path: (
        Annotated[
            str,
            Field(max_length=255, pattern="^/", json_schema_extra={"default": "/mnt/models"}),
        ]
        | None
    ) = None


class RollingUpdate(Model):
    """How many replicas may be missing or extra while a Deployment is updated."""

    max_unavailable: IntOrString = None
    max_surge: IntOrString = None


class DeploymentStrategy(Model):
    """How a Deployment is updated; only in the mode Standard."""

    type: Literal["RollingUpdate", "Recreate"] | None = None
    rolling_update: RollingUpdate | None = None


class ComponentSpec(PodSpec):
    """Scaling, traffic and payload settings of a component, beside its inline pod fields."""

    min_replicas: Count | None = None
    """Replicas at least; 0 lets the component sleep. 1 when not given."""
    max_replicas: Count | None = None
    """Replicas at most; 0 or nothing means no limit."""
    scale_target: Positive | None = None
    """The value of scaleMetric that one replica should see."""
    scale_metric: Literal["cpu", "memory", "concurrency", "rps"] | None = None
    """What is scaled on; concurrency when not given."""
    scale_metric_type: Literal["Utilization", "Value", "AverageValue"] | None = None
    auto_scaling: AutoScaling | None = None
    """Several metrics to scale on, and how fast to follow them.

    In the mode Knative it is one metric, cpu or memory; External needs the mode Standard with
    KEDA."""
    container_concurrency: Annotated[int, Field(ge=0)] | None = None
    """Requests in one replica at the same time at most; 0 or nothing means no limit."""
    timeout: Annotated[int, Field(ge=0)] | None = None
    """Seconds a request may take."""
    canary_traffic_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Percent of requests for the latest ready revision; the rest goes to the one last rolled out.

    Remove the field to promote the latest revision; set it to 0 to roll back."""
    logger: Logger | None = None
    batcher: Batcher | None = None
    labels: Strings | None = None
    """Labels for the pods."""
    annotations: Strings | None = None
    """Annotations for the revision and its pods; autoscaling.knative.dev/ ones steer scaling."""
    deployment_strategy: DeploymentStrategy | None = None
    storage_uris: Annotated[list[StorageUri] | None, Field(min_length=1), atomic()] = None
    storage_container_name: Annotated[str, Field(min_length=1)] | None = None
    """The ClusterStorageContainer that fetches the model; when not given, the first that supports
    its location."""
