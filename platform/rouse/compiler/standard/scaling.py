"""How many replicas a component has in the mode Standard, and who decides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from rouse.api.base import Object
from rouse.api.inferenceservice.defaults import DEFAULT_MIN_REPLICAS
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.metadata import make_metadata

__all__ = ["SCALING_ANNOTATIONS", "Scaling", "make_autoscaler", "scaling_of"]

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
    """One thing to scale on; ``query`` is Prometheus' and None for cpu and memory."""

    name: str
    type: str
    target: str
    query: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds of a component's replicas and the one who chooses between them."""

    by: str
    """hpa, keda, external (somebody else) or none."""
    least: int
    most: int
    metrics: tuple[Metric, ...] = ()

    @property
    def fixed(self) -> int | None:
        """The replicas, where nobody chooses."""
        return self.least if self.by == _NONE else None


def scaling_of(isvc: InferenceService, component: ResolvedComponent, config: Config) -> Scaling:
    """Return the scaling of a component. Raises CompileError for what cannot be scaled so."""
    annotations = {**isvc.annotations, **(component.spec.annotations or {})}
    by = annotations.get(_CLASS) or config.autoscaler_class
    if by not in _CLASSES:
        _refuse(f"metadata.annotations[{_CLASS}]", f'"{by}" is unknown; use {", ".join(_CLASSES)}')
    spec = component.spec
    metrics = tuple(_metrics(component, annotations)) if by in (_HPA, _KEDA) else ()
    if by == _HPA and any(each.query for each in metrics):
        _refuse(
            f"spec.{component.component}.autoScaling",
            f"External metrics need KEDA; set the annotation {_CLASS} to keda",
        )
    least = DEFAULT_MIN_REPLICAS if spec.min_replicas is None else spec.min_replicas
    if metrics and not any(each.query for each in metrics):
        # Without replicas there is no cpu and no memory to measure: nothing would wake them.
        least = max(1, least)
    return Scaling(by, least, max(spec.max_replicas or 0, least, 1), metrics)


def make_autoscaler(
    isvc: InferenceService, component: ResolvedComponent, scaling: Scaling, config: Config
) -> Object | None:
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
        "metadata": make_metadata(isvc, component.name, component.component),
        "spec": {"scaleTargetRef": target, **make(scaling, _behavior(config))},
    }


def _hpa_spec(scaling: Scaling, behavior: Object) -> Object:
    return {
        "minReplicas": scaling.least,
        "maxReplicas": scaling.most,
        "metrics": [
            {"type": "Resource", "resource": {"name": each.name, "target": _target(each)}}
            for each in scaling.metrics
        ],
        "behavior": behavior,
    }


def _target(metric: Metric) -> Object:
    if metric.type == _UTILIZATION:
        return {"type": _UTILIZATION, "averageUtilization": int(metric.target)}
    return {"type": _AVERAGE, "averageValue": metric.target}


def _scaled_object_spec(scaling: Scaling, behavior: Object) -> Object:
    return {
        "minReplicaCount": scaling.least,
        "maxReplicaCount": scaling.most,
        "triggers": [_trigger(each) for each in scaling.metrics],
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
    }


def _trigger(metric: Metric) -> Object:
    if metric.query is None:
        return {
            "type": metric.name,
            "metricType": metric.type,
            "metadata": {"value": metric.target},
        }
    given = metric.query.get("metric") or {}
    fields = {key: given[key] for key in ("namespace", "query", "serverAddress") if given.get(key)}
    trigger: Object = {
        "type": metric.name,
        "metricType": metric.type,
        "metadata": {**fields, "threshold": metric.target},
    }
    reference = metric.query.get("authenticationRef") or {}
    if reference.get("name"):
        trigger["authenticationRef"] = {"name": reference["name"]}
    return trigger


def _behavior(config: Config) -> Object:
    windows = {
        "scaleUp": config.scale_up_stabilization_window_seconds,
        "scaleDown": config.scale_down_stabilization_window_seconds,
    }
    return {way: {"stabilizationWindowSeconds": seconds} for way, seconds in windows.items()}


def _metrics(component: ResolvedComponent, annotations: Mapping[str, str]) -> Iterator[Metric]:
    spec, where = component.spec, f"spec.{component.component}"
    given = (spec.to_object().get("autoScaling") or {}).get("metrics") or ()
    if given:
        for index, each in enumerate(given):
            yield _given(each, f"{where}.autoScaling.metrics[{index}]")
        return
    name = spec.scale_metric or annotations.get(_METRIC) or "cpu"
    if name not in _RESOURCES:
        _refuse(
            f"{where}.scaleMetric",
            f'"{name}" is measured only in the mode Knative; use cpu or memory here',
        )
    type_ = spec.scale_metric_type or _UTILIZATION
    target: object = spec.scale_target or annotations.get(_TARGET) or _DEFAULT_TARGET
    yield _resource(name, type_, str(target), where)


def _given(each: Mapping[str, Any], where: str) -> Metric:
    kind = each.get("type")
    if kind == "Resource":
        source = each.get("resource") or {}
        name = source.get("name", "")
        if name not in _RESOURCES:
            _refuse(f"{where}.resource.name", f'"{name}" cannot be measured; use cpu or memory')
        target = source.get("target") or {}
        type_ = target.get("type") or _UTILIZATION
        value = target.get("averageUtilization" if type_ == _UTILIZATION else "averageValue")
        return _resource(name, type_, str(value or _DEFAULT_TARGET), f"{where}.resource.target")
    source = each.get("external") or {}
    backend = (source.get("metric") or {}).get("backend")
    if kind != "External" or backend != "prometheus":
        _refuse(
            where,
            f'the type "{kind}" is not available{f" for {backend}" if backend else ""}; use '
            "Resource, or External with the backend prometheus",
        )
    target = source.get("target") or {}
    type_ = "Value" if target.get("type") == "Value" else _AVERAGE
    value = target.get("value" if type_ == "Value" else "averageValue")
    if value is None:
        _refuse(f"{where}.external.target", "has no value to scale at; give value or averageValue")
    return Metric("prometheus", type_, str(value), source)


def _resource(name: str, type_: str, target: str, where: str) -> Metric:
    if type_ not in (_UTILIZATION, _AVERAGE):
        _refuse(where, f'"{type_}" does not go with {name}; use {_UTILIZATION} or {_AVERAGE}')
    if type_ == _UTILIZATION and not (target.isdecimal() and int(target) > 0):
        _refuse(where, f'"{target}" is no percent; use a whole number above 0')
    return Metric(name, type_, target)


def _refuse(where: str, message: str) -> NoReturn:
    raise CompileError(Reason.INVALID_SPEC, f"{where}: {message}")
