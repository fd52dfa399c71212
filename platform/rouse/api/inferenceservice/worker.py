"""The pods on other nodes that serve one model together with the predictor's own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from rouse.api.base import OPEN_SCHEMA
from rouse.api.pods.pod import PodSpec

__all__ = ["WorkerSpec", "Workers"]


class WorkerSpec(PodSpec):
    """What a service changes of its runtime's workers: sizes, and fields of their pods."""

    pipeline_parallel_size: Annotated[int | None, Field(ge=1)] = None
    """In how many stages the layers are cut; the runtime's number when not given."""
    tensor_parallel_size: Annotated[int | None, Field(ge=1)] = None
    """Over how many GPUs each stage is spread; the runtime's number when not given."""


Workers = Annotated[WorkerSpec, WithJsonSchema(OPEN_SCHEMA)]
"""Open in the definition, which kubectl could not apply with one more pod in it: the webhook
checks it, as it checks everything."""
