"""Scaling settings of a component as Knative's annotations."""

from __future__ import annotations

from rouse.api.base import Strings
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.defaults import DEFAULT_MIN_REPLICAS
from rouse.api.inferenceservice.knative_scaling import knative_scaling

__all__ = ["DEFAULT_CLASS", "MAX_SCALE", "MIN_SCALE", "make_autoscaling_annotations"]

_PREFIX = "autoscaling.knative.dev/"
MIN_SCALE = f"{_PREFIX}min-scale"
MAX_SCALE = f"{_PREFIX}max-scale"

DEFAULT_CLASS = {f"{_PREFIX}class": "kpa.autoscaling.knative.dev"}
"""Who scales, where neither annotations nor scaleMetric say otherwise."""

_HPA_CLASS = {f"{_PREFIX}class": "hpa.autoscaling.knative.dev"}
_HPA_METRICS = frozenset({"cpu", "memory"})


def make_autoscaling_annotations(component: ComponentSpec) -> Strings:
    """Return the annotations that the component's scaling fields stand for.

    A target in autoScaling wins over scaleTarget. Memory is in MiB per replica there, as Knative
    has it.
    """
    least = component.min_replicas
    annotations = {MIN_SCALE: str(DEFAULT_MIN_REPLICAS if least is None else least)}
    if component.max_replicas:
        annotations[MAX_SCALE] = str(component.max_replicas)
    scaling = knative_scaling(component)
    metric = scaling.metric or component.scale_metric
    if metric in _HPA_METRICS:
        annotations |= _HPA_CLASS
    given = {
        "metric": metric,
        "target": component.scale_target if scaling.target is None else scaling.target,
        "window": _seconds(scaling.window_s),
        "scale-down-delay": _seconds(scaling.scale_down_delay_s),
    }
    named = {f"{_PREFIX}{name}": str(value) for name, value in given.items() if value is not None}
    return annotations | named


def _seconds(number: int | None) -> str | None:
    return None if number is None else f"{number}s"
