"""The field autoScaling of a component: several metrics, and how fast to follow them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Object, Open, Quantity
from rouse.api.findings import load
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.errors import CompileError

__all__ = ["AutoScaling", "External", "ScalingMetric", "Target", "read_auto_scaling"]


class Target(Model):
    """The value that is aimed at."""

    type: Literal["Utilization", "Value", "AverageValue"] | None = None
    average_utilization: Annotated[int, Field(ge=1)] | None = None
    """Percent of what the containers ask for."""
    average_value: Quantity = None
    """Per replica."""
    value: Quantity = None


class _Resource(Model):
    name: Literal["cpu", "memory"]
    target: Target


class _Query(Model):
    backend: Literal["prometheus", "graphite"] | None = None
    server_address: str | None = None
    query: str | None = None
    namespace: str | None = None


class _Reference(Model):
    name: str


class _Authentication(Model):
    authentication_ref: _Reference
    auth_modes: str | None = None


class External(Model):
    """The answer of a system for monitoring."""

    metric: _Query
    target: Target
    authentication_ref: _Authentication | None = None


class ScalingMetric(Model):
    """One metric."""

    type: Literal["Resource", "External", "PodMetric"]
    resource: _Resource | None = None
    external: External | None = None
    podmetric: Open | None = None


class _Behavior(Model):
    scale_up: Open | None = None
    scale_down: Open | None = None


class AutoScaling(Model):
    """The whole field."""

    metrics: list[ScalingMetric] | None = None
    behavior: _Behavior | None = None


def read_auto_scaling(component: str, spec: ComponentSpec) -> AutoScaling:
    """Return the field of a component; empty where it is not given. Raises CompileError."""
    given: Object = spec.to_object().get("autoScaling") or {}
    read, findings = load(AutoScaling, given)
    if read is None or findings:
        where = f"spec.{component}.autoScaling"
        raise CompileError(
            Reason.INVALID_SPEC, "; ".join(f"{where}.{finding}" for finding in findings)
        )
    return read
