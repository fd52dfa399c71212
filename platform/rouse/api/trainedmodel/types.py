"""TrainedModel, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Object, Quantity, Strings
from rouse.api.inferenceservice.status import Addressable
from rouse.api.meta import Condition, ObjectMeta

__all__ = ["TrainedModel", "TrainedModelSource", "TrainedModelSpec", "TrainedModelStatus"]

Text = Annotated[str, Field(min_length=1)]


class TrainedModelSource(Model):
    """Where the model is and what it needs."""

    storage_uri: Text
    """Where the model is: pvc://claim/path, s3://, gs://, hf://, https:// ..."""
    framework: Text
    """The framework the model was saved with, such as sklearn."""
    memory: Quantity
    """Memory the model takes in a replica, such as 256Mi; it cannot change later."""


class TrainedModelSpec(Model):
    """One model and the service that loads it."""

    inference_service: Text
    """The InferenceService of the same namespace whose replicas load the model."""
    model: TrainedModelSource


class TrainedModelStatus(Model):
    """What was observed of a TrainedModel."""

    observed_generation: int | None = None
    """The generation of the spec that this status is about."""
    conditions: list[Condition] | None = None
    """Ready, and what it depends on."""
    url: str | None = None
    """Where clients outside the cluster reach the model."""
    address: Addressable | None = None
    """Where clients inside the cluster reach the model."""
    annotations: Strings | None = None
    """Facts about the status for other programs."""


class TrainedModel(Model):
    """A model that a running InferenceService loads beside others."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["TrainedModel"]
    metadata: ObjectMeta
    spec: TrainedModelSpec
    status: Object | None = None
    """What was observed; typed in `TrainedModelStatus`, read here as it is."""
