"""Scaling a component in the mode Knative: what of autoScaling a revision can do.

A revision has one metric. Knative scales on concurrency and rps itself (scaleMetric) and lets a
HorizontalPodAutoscaler scale on cpu (a percent) or memory (an amount per replica). What asks other
systems needs KEDA, and with it the mode Standard.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from rouse.api.base import Object
from rouse.api.inferenceservice.autoscaling import AutoScaling, Behavior, ResourceMetric
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.modes import MODE_ANNOTATION
from rouse.api.quantities import amount
from rouse.errors import FieldError

__all__ = ["KnativeScaling", "check_knative_scaling", "knative_scaling"]

_KEDA = (
    f"needs the mode Standard with KEDA; set the annotations {MODE_ANNOTATION}: Standard and "
    "serving.kserve.io/autoscalerClass: keda"
)
_STANDARD = f"or the annotation {MODE_ANNOTATION}: Standard"
_WINDOW_S = range(6, 3601)
"""Knative's bounds of the annotation autoscaling.knative.dev/window."""
_MIB = 1024 * 1024
_HPA_METRICS = ("cpu", "memory")
_TYPES = {"cpu": ("Utilization", "averageUtilization"), "memory": ("AverageValue", "averageValue")}


@dataclass(frozen=True, slots=True)
class KnativeScaling:
    """What autoScaling comes to for a revision; None where it says nothing."""

    metric: str | None = None
    target: int | None = None
    """Percent for cpu, MiB per replica for memory."""
    window_s: int | None = None
    """Seconds of stabilization up and down, of a HorizontalPodAutoscaler."""
    scale_down_delay_s: int | None = None
    """Seconds before replicas are taken away, of Knative's own autoscaler."""


def knative_scaling(component: ComponentSpec) -> KnativeScaling:
    """Return what a component's (valid) autoScaling comes to."""
    scaling = component.auto_scaling or AutoScaling()
    resource = next((each.resource for each in scaling.metrics or ()), None)
    metric = resource.name if resource is not None else None
    target = _target(resource) if resource is not None else None
    _, down = _windows(scaling.behavior)
    if (metric or component.scale_metric) in _HPA_METRICS:
        return KnativeScaling(metric, target, window_s=down)
    return KnativeScaling(metric, target, scale_down_delay_s=down)


def check_knative_scaling(component: ComponentSpec, path: str) -> Iterator[FieldError]:
    """Find what a revision cannot be scaled by; ``path`` is that of the component."""
    scaling = component.auto_scaling
    if scaling is None:
        return
    metrics, at = scaling.metrics or [], f"{path}.autoScaling"
    for index, metric in enumerate(metrics):
        where = f"{at}.metrics[{index}]"
        if metric.type != "Resource":
            yield FieldError(f"{where}.type", f'"{metric.type}" {_KEDA}')
        elif metric.resource is not None:
            yield from _resource(metric.resource, f"{where}.resource.target")
    if len(metrics) > 1:
        yield FieldError(
            f"{at}.metrics",
            f"has {len(metrics)} metrics, and Knative scales on one; keep one of them, {_STANDARD}",
        )
    named = metrics[0].resource if len(metrics) == 1 else None
    metric_name = named.name if named is not None else component.scale_metric
    if named is not None and component.scale_metric not in (None, named.name):
        yield FieldError(
            f"{path}.scaleMetric",
            f'"{component.scale_metric}" is given beside autoScaling, which scales on '
            f"{named.name}, and Knative scales on one metric; keep one of them",
        )
    yield from _behavior(scaling.behavior, f"{at}.behavior", hpa=metric_name in _HPA_METRICS)


def _resource(resource: ResourceMetric, path: str) -> Iterator[FieldError]:
    target = resource.target
    type_, field = _TYPES[resource.name]
    if target.type not in (None, type_):
        yield FieldError(
            f"{path}.type",
            f'"{target.type}" of {resource.name} is nothing that Knative scales on; write '
            f"{type_} and {field}, {_STANDARD}",
        )
        return
    given: Object = target.to_object()
    for other in sorted(given.keys() - {"type", field}):
        yield FieldError(
            f"{path}.{other}", f"does not go with {resource.name} in the mode Knative; use {field}"
        )
    if resource.name == "memory" and target.average_value is None:
        yield FieldError(f"{path}.averageValue", "is required: an amount per replica, such as 2Gi")
    elif resource.name == "memory" and amount(target.average_value) <= 0:
        yield FieldError(
            f"{path}.averageValue", f'"{target.average_value}" is nothing to scale at; use more'
        )


def _target(resource: ResourceMetric) -> int | None:
    if resource.name == "memory":
        return math.ceil(amount(resource.target.average_value) / Decimal(_MIB))
    return resource.target.average_utilization


def _behavior(behavior: Behavior | None, path: str, *, hpa: bool) -> Iterator[FieldError]:
    """Find what Knative's annotations cannot say: they know one window, or one delay."""
    if behavior is None:
        return
    for way in ("scaleUp", "scaleDown"):
        given: Object = behavior.to_object().get(way) or {}
        for field in sorted(given.keys() - {"stabilizationWindowSeconds"}):
            yield FieldError(
                f"{path}.{way}.{field}", f"Knative has no such setting; remove it, {_STANDARD}"
            )
    up, down = _windows(behavior)
    if not hpa:
        if up:
            yield FieldError(
                f"{path}.scaleUp.stabilizationWindowSeconds",
                f"{up} is out of range: Knative scales up at once; remove it, {_STANDARD}",
            )
        return
    if up != down:
        yield FieldError(
            f"{path}.scaleUp.stabilizationWindowSeconds",
            f"is {_seconds(up)} and that of scaleDown {_seconds(down)}, and Knative has one window "
            f"for both; make them equal, {_STANDARD}",
        )
    for way, window in (("scaleUp", up), ("scaleDown", down)):
        if window is not None and window not in _WINDOW_S:
            yield FieldError(
                f"{path}.{way}.stabilizationWindowSeconds",
                f"{window} is out of range in the mode Knative: {_WINDOW_S.start} to "
                f"{_WINDOW_S.stop - 1}",
            )


def _windows(behavior: Behavior | None) -> tuple[int | None, int | None]:
    """Seconds of stabilization up and down."""
    rules = (behavior.scale_up, behavior.scale_down) if behavior is not None else (None, None)
    up, down = (each.stabilization_window_seconds if each is not None else None for each in rules)
    return up, down


def _seconds(window: int | None) -> str:
    return "not given" if window is None else str(window)
