"""Scaling settings of a component as Knative's annotations."""

from __future__ import annotations

from rouse.api.base import Strings
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.defaults import DEFAULT_MIN_REPLICAS

__all__ = ["DEFAULT_CLASS", "MAX_SCALE", "MIN_SCALE", "make_autoscaling_annotations"]

_PREFIX = "autoscaling.knative.dev/"
MIN_SCALE = f"{_PREFIX}min-scale"
MAX_SCALE = f"{_PREFIX}max-scale"

DEFAULT_CLASS = {f"{_PREFIX}class": "kpa.autoscaling.knative.dev"}
"""Who scales, where neither annotations nor scaleMetric say otherwise."""

_HPA_CLASS = {f"{_PREFIX}class": "hpa.autoscaling.knative.dev"}
_HPA_METRICS = frozenset({"cpu", "memory"})


def make_autoscaling_annotations(component: ComponentSpec) -> Strings:
    """Return the annotations that the component's scaling fields stand for."""
    least = component.min_replicas
    annotations = {MIN_SCALE: str(DEFAULT_MIN_REPLICAS if least is None else least)}
    if component.scale_metric in _HPA_METRICS:
        annotations |= _HPA_CLASS
    if component.max_replicas:
        annotations[MAX_SCALE] = str(component.max_replicas)
    if component.scale_metric is not None:
        annotations[f"{_PREFIX}metric"] = component.scale_metric
    if component.scale_target is not None:
        annotations[f"{_PREFIX}target"] = str(component.scale_target)
    return annotations
