"""ServingRuntime and ClusterServingRuntime, serving.kserve.io/v1alpha1: types and validation."""

from __future__ import annotations

from typing import TypeVar

from rouse.api.base import Object
from rouse.api.findings import load, name_in
from rouse.api.servingruntime.types import (
    ClusterServingRuntime,
    RuntimeWorkerSpec,
    ServingRuntime,
    ServingRuntimeSpec,
    SupportedModelFormat,
)
from rouse.api.servingruntime.validation import validate
from rouse.errors import ValidationError

__all__ = [
    "ClusterServingRuntime",
    "RuntimeWorkerSpec",
    "ServingRuntime",
    "ServingRuntimeSpec",
    "SupportedModelFormat",
    "parse",
    "validate",
]


T = TypeVar("T", ServingRuntime, ClusterServingRuntime)


def parse(obj: Object) -> ServingRuntime | ClusterServingRuntime:
    """Read a runtime of either kind.

    Raises ValidationError with every finding about fields and their types.
    """
    if obj.get("kind") == "ClusterServingRuntime":
        return _read(ClusterServingRuntime, obj)
    return _read(ServingRuntime, obj)


def _read(cls: type[T], obj: Object) -> T:
    runtime, findings = load(cls, obj)
    if runtime is None or findings:
        raise ValidationError(cls.__name__, name_in(obj), findings)
    return runtime
