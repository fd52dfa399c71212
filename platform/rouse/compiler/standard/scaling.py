"""How many replicas a component has in the mode Standard, and who decides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rouse.api.base import Object
from rouse.api.inferenceservice.autoscaling import AutoScaling, ScalingMetric
from rouse.api.inferenceservice.defaults import DEFAULT_MIN_REPLICAS
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.metadata import make_metadata
from rouse.compiler.owner import Owner
from rouse.compiler.standard.triggers import external_trigger, pod_trigger

__all__ = ["SCALING_ANNOTATIONS", "Scaling", "fixed_scaling", "make_autoscaler", "scaling_of"]

_PREFIX = "serving.kserve.io/"
_CLASS = f"{_PREFIX}autoscalerClass"
_METRIC = f"{_PREFIX}metrics"
_TARGET = f"{_PREFIX}targetUtilizationPercentage"
SCALING_ANNOTATIONS = frozenset({_CLASS, _METRIC, _TARGET})
"""They say nothing about pods: a change of one rolls nothing out."""

_HPA, _KEDA, _NONE = "hpa", "keda", "none"
_CLASSES = (_HPA, _KEDA, "external", _NONE)
_RESOURCES = ("cpu", "memory")
_DEFAULT_TARGET = 80
_UTILIZATION, _AVERAGE = "Utilization", "AverageValue"


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing to scale on: cpu or memory by name, or what only KEDA can ask for, its trigger."""

    name: str = ""
    type: str = ""
    target: str = ""
    trigger: Object | None = None


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds of a component's replicas and the one who chooses between them."""

    by: str
    """hpa, keda, external (somebody else) or none."""
    least: int
    most: int
    metrics: tuple[Metric, ...] = ()
    behavior: Object = field(default_factory=dict)
    """How fast to follow the metrics, in autoscaling/v2's words."""

    @property
    def fixed(self) -> int | None:
        """The replicas, where nobody chooses."""
        return self.least if self.by == _NONE else None


def scaling_of(owner: Owner, component: ResolvedComponent, config: Config) -> Scaling:
    """Return the scaling of a component. Raises CompileError for what cannot be scaled so."""
    annotations = {**owner.annotations, **(component.spec.annotations or {})}
    by = annotations.get(_CLASS) or config.autoscaler_class
    if component.workers is not None:
        by = _NONE
    if by not in _CLASSES:
        raise _refusal(
            f"metadata.annotations[{_CLASS}]", f'"{by}" is unknown; use {", ".join(_CLASSES)}'
        )
    spec = component.spec
    given = spec.auto_scaling or AutoScaling()
    metrics: tuple[Metric, ...] = ()
    if by in (_HPA, _KEDA) and given.metrics:
        metrics = tuple(_listed(owner, component, given.metrics, config))
    elif by in (_HPA, _KEDA):
        metrics = (_single(component, annotations),)
    if by == _HPA and any(each.trigger for each in metrics):
        raise _refusal(
            f"spec.{component.component}.autoScaling",
            f"External and PodMetric need KEDA; set the annotation {_CLASS} to keda",
        )
    least = DEFAULT_MIN_REPLICAS if spec.min_replicas is None else spec.min_replicas
    if metrics and not any(each.trigger for each in metrics):
        # Without replicas there is no cpu and no memory to measure: nothing would wake them.
        least = max(1, least)
    most = max(spec.max_replicas or 0, least, 1)
    return Scaling(by, least, most, metrics, _behavior(given, config))


def fixed_scaling(replicas: int) -> Scaling:
    """Return the scaling of pods whose number nobody changes."""
    return Scaling(_NONE, replicas, replicas)


def make_autoscaler(owner: Owner, component: ResolvedComponent, scaling: Scaling) -> Object | None:
    """Return the HorizontalPodAutoscaler or KEDA's ScaledObject; None where neither scales."""
    make = {_HPA: _hpa_spec, _KEDA: _scaled_object_spec}.get(scaling.by)
    if make is None:
        return None
    kind, version = ("HorizontalPodAutoscaler", "autoscaling/v2")
    if scaling.by == _KEDA:
        kind, version = "ScaledObject", "keda.sh/v1alpha1"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": component.name}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": make_metadata(owner, component.name, component.component),
        "spec": {"scaleTargetRef": target, **make(scaling)},
    }


def _hpa_spec(scaling: Scaling) -> Object:
    return {
        "minReplicas": scaling.least,
        "maxReplicas": scaling.most,
        "metrics": [
            {"type": "Resource", "resource": {"name": each.name, "target": _target(each)}}
            for each in scaling.metrics
        ],
        "behavior": scaling.behavior,
    }


def _target(metric: Metric) -> Object:
    if metric.type == _UTILIZATION:
        return {"type": _UTILIZATION, "averageUtilization": int(metric.target)}
    return {"type": _AVERAGE, "averageValue": metric.target}


def _scaled_object_spec(scaling: Scaling) -> Object:
    return {
        "minReplicaCount": scaling.least,
        "maxReplicaCount": scaling.most,
        "triggers": [_trigger(each) for each in scaling.metrics],
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": scaling.behavior}},
    }


def _trigger(metric: Metric) -> Object:
    if metric.trigger is not None:
        return metric.trigger
    return {"type": metric.name, "metricType": metric.type, "metadata": {"value": metric.target}}


def _behavior(given: AutoScaling, config: Config) -> Object:
    windows = {
        "scaleUp": config.scale_up_stabilization_window_seconds,
        "scaleDown": config.scale_down_stabilization_window_seconds,
    }
    own = given.behavior.to_object() if given.behavior is not None else {}
    return {
        way: {"stabilizationWindowSeconds": seconds, **own.get(way, {})}
        for way, seconds in windows.items()
    }


def _listed(
    owner: Owner,
    component: ResolvedComponent,
    metrics: Sequence[ScalingMetric],
    config: Config,
) -> Iterator[Metric]:
    """Yield the metrics of autoScaling."""
    for index, each in enumerate(metrics):
        where = f"spec.{component.component}.autoScaling.metrics[{index}]"
        yield _given(each, where, component, owner.namespace, config)


def _single(component: ResolvedComponent, annotations: Mapping[str, str]) -> Metric:
    """Return the metric of scaleMetric and of KServe's annotations."""
    spec, where = component.spec, f"spec.{component.component}"
    name = spec.scale_metric or annotations.get(_METRIC) or "cpu"
    if name not in _RESOURCES:
        raise _refusal(
            f"{where}.scaleMetric",
            f'"{name}" is measured only in the mode Knative; use cpu or memory here',
        )
    type_ = spec.scale_metric_type or _UTILIZATION
    target: object = spec.scale_target or annotations.get(_TARGET) or _DEFAULT_TARGET
    return _resource(name, type_, str(target), where)


def _given(
    each: ScalingMetric, where: str, component: ResolvedComponent, namespace: str, config: Config
) -> Metric:
    if each.type == "Resource" and each.resource is not None:
        target = each.resource.target
        type_ = target.type or _UTILIZATION
        value = target.average_utilization if type_ == _UTILIZATION else target.average_value
        path = f"{where}.resource.target"
        if value is None and type_ == _AVERAGE:
            raise _refusal(path, "has no averageValue to scale at; give one")
        return _resource(each.resource.name, type_, str(value or _DEFAULT_TARGET), path)
    if each.type == "External" and each.external is not None:
        return Metric(trigger=external_trigger(each.external, f"{where}.external"))
    if each.type == "PodMetric" and each.podmetric is not None:
        trigger = pod_trigger(
            each.podmetric,
            f"{where}.podmetric",
            namespace=namespace,
            deployment=component.name,
            config=config,
        )
        return Metric(trigger=trigger)
    raise _refusal(where, f"the type is {each.type}, and {each.type.lower()} is not given")


def _resource(name: str, type_: str, target: str, where: str) -> Metric:
    if type_ not in (_UTILIZATION, _AVERAGE):
        raise _refusal(
            where, f'"{type_}" does not go with {name}; use {_UTILIZATION} or {_AVERAGE}'
        )
    if type_ == _UTILIZATION and not (target.isdecimal() and int(target) > 0):
        raise _refusal(where, f'"{target}" is no percent; use a whole number above 0')
    return Metric(name, type_, target)


def _refusal(where: str, message: str) -> CompileError:
    return CompileError(Reason.INVALID_SPEC, f"{where}: {message}")
