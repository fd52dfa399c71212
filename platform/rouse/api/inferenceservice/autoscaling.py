"""The field autoScaling of a component: metrics to scale on, and how fast to follow them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Quantity, atomic
from rouse.errors import FieldError

__all__ = [
    "AutoScaling",
    "Behavior",
    "ExternalMetric",
    "MetricTarget",
    "PodMetric",
    "ResourceMetric",
    "ScalingMetric",
    "ScalingRules",
    "check_metrics",
]

Seconds = Annotated[int, Field(ge=0, le=3600)]


class MetricTarget(Model):
    """The value that one replica, or all of them, should see."""

    type: Literal["Utilization", "Value", "AverageValue"] | None = None
    """Percent of what the containers ask for, a value as it is, or a value per replica."""
    average_utilization: Annotated[int, Field(ge=1)] | None = None
    """Percent of what the containers ask for."""
    average_value: Quantity = None
    """A value per replica."""
    value: Quantity = None
    """A value as the metric has it."""


class ResourceMetric(Model):
    """What the replicas use of the nodes."""

    name: Literal["cpu", "memory"]
    """The resource."""
    target: MetricTarget
    """What is aimed at."""


class ExternalQuery(Model):
    """A question to a system for monitoring."""

    backend: Literal["prometheus", "graphite"] | None = None
    """The sort of system."""
    server_address: str | None = None
    """URL of the system."""
    query: str | None = None
    """The question, in the system's own language."""
    namespace: str | None = None
    """The namespace that the question is about, where the system needs one."""


class AuthenticationName(Model):
    """KEDA's TriggerAuthentication by name."""

    name: str
    """Name of the object."""


class Authentication(Model):
    """How the system is opened."""

    authentication_ref: AuthenticationName
    """KEDA's TriggerAuthentication of the same namespace."""
    auth_modes: str | None = None
    """Ways of authentication between commas, such as basic or bearer."""


class ExternalMetric(Model):
    """The answer of a system for monitoring."""

    metric: ExternalQuery
    """What is asked."""
    target: MetricTarget
    """What is aimed at."""
    authentication_ref: Authentication | None = None
    """How the system is opened."""


class PodQuery(Model):
    """Metrics that the replicas send themselves."""

    backend: Literal["opentelemetry"] | None = None
    """How they are sent."""
    server_address: str | None = None
    """Address of the scaler that keeps them."""
    metric_names: list[str] | None = None
    """The metrics to send on."""
    query: str | None = None
    """What is computed of them."""
    operation_over_time: str | None = None
    """How values over time become one, such as avg or max."""


class PodMetric(Model):
    """A metric of the replicas themselves."""

    metric: PodQuery
    """What is asked."""
    target: MetricTarget
    """What is aimed at."""


class ScalingMetric(Model):
    """One metric to scale on."""

    type: Literal["Resource", "External", "PodMetric"]
    """Which of resource, external and podmetric is given."""
    resource: ResourceMetric | None = None
    """What the replicas use of the nodes."""
    external: ExternalMetric | None = None
    """The answer of a system for monitoring; in the mode Standard with KEDA."""
    podmetric: PodMetric | None = None
    """A metric of the replicas themselves; in the mode Standard with KEDA and OpenTelemetry."""


class ScalingPolicy(Model):
    """How much may change in a period."""

    type: str
    """Pods or Percent."""
    value: int
    """That many."""
    period_seconds: int
    """In so many seconds."""


class ScalingRules(Model):
    """How fast replicas are added, or taken away."""

    stabilization_window_seconds: Seconds | None = None
    """The recommendations of so many seconds are looked at, and the most careful one followed."""
    select_policy: str | None = None
    """Which of the policies counts: Max, Min, or Disabled to leave the replicas as they are."""
    policies: Annotated[list[ScalingPolicy] | None, atomic()] = None
    """Bounds of the change."""
    tolerance: Quantity = None
    """How far a metric may be off before anything happens, as a fraction."""


class Behavior(Model):
    """How fast the metrics are followed."""

    scale_up: ScalingRules | None = None
    """How replicas are added."""
    scale_down: ScalingRules | None = None
    """How replicas are taken away."""


class AutoScaling(Model):
    """Metrics to scale on, and how fast to follow them."""

    metrics: list[ScalingMetric] | None = None
    """The metrics; the one that asks for the most replicas decides."""
    behavior: Behavior | None = None
    """How fast the metrics are followed."""


def check_metrics(scaling: AutoScaling, path: str) -> Iterator[FieldError]:
    """Find metrics that do not have what their type names."""
    for index, metric in enumerate(scaling.metrics or ()):
        wanted = metric.type.lower()
        if getattr(metric, wanted) is None:
            yield FieldError(
                f"{path}.metrics[{index}].{wanted}", f"is required: the type is {metric.type}"
            )
