"""The settings of one revision: its annotations over ``config-autoscaler``."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from rouse.autoscaler.annotations import AnnotationReader
from rouse.autoscaler.config import TARGET_MIN, WINDOW_MAX_S, WINDOW_MIN_S, AutoscalerConfig
from rouse.autoscaler.decider import DeciderSpec
from rouse.autoscaler.windows import Algorithm
from rouse.errors import FieldError, ValidationError

__all__ = [
    "GRANULARITY_S",
    "KPA_CLASS",
    "AutoscalerSpec",
    "Metric",
    "resolve_spec",
    "validate_annotations",
]

_T = TypeVar("_T")

KPA_CLASS = "kpa.autoscaling.knative.dev"
GRANULARITY_S = 1.0
_ALGORITHMS = {
    "linear": Algorithm.LINEAR,
    "weighted-exponential": Algorithm.WEIGHTED,
    "weightedExponential": Algorithm.WEIGHTED,
}


class Metric(enum.StrEnum):
    """What is counted: requests in flight, or requests per second."""

    CONCURRENCY = "concurrency"
    RPS = "rps"


@dataclass(frozen=True, slots=True)
class AutoscalerSpec:
    """Everything the autoscaler needs to know of a revision. ``max_scale`` 0 is no maximum."""

    decider: DeciderSpec
    metric: Metric = Metric.CONCURRENCY
    algorithm: Algorithm = Algorithm.LINEAR
    panic_window_s: float = 6.0
    min_scale: int = 0
    max_scale: int = 0
    initial_scale: int = 1
    enable_scale_to_zero: bool = True
    grace_period_s: float = 30.0
    pod_retention_s: float = 0.0

    @property
    def stable_window_s(self) -> float:
        """Seconds of the stable window."""
        return self.decider.stable_window_s

    @property
    def initial_excess_burst_capacity(self) -> int:
        """What is assumed before the first decision: the burst over one initial scale of pods."""
        burst = self.decider.target_burst_capacity
        if burst <= 0:
            return int(burst)
        return int(self.initial_scale * self.decider.total_value - burst)


def validate_annotations(
    annotations: Mapping[str, str], config: AutoscalerConfig | None = None
) -> list[FieldError]:
    """Every autoscaling annotation that is malformed, out of range or at odds with another."""
    return _resolve(annotations, config or AutoscalerConfig(), 0)[1]


def resolve_spec(
    annotations: Mapping[str, str],
    config: AutoscalerConfig,
    container_concurrency: int = 0,
    *,
    name: str = "",
) -> AutoscalerSpec:
    """The spec of the revision ``name``; raises ``ValidationError`` with every wrong annotation."""
    spec, errors = _resolve(annotations, config, container_concurrency)
    if errors:
        raise ValidationError("Revision", name, errors)
    return spec


def _resolve(
    annotations: Mapping[str, str], config: AutoscalerConfig, container_concurrency: int
) -> tuple[AutoscalerSpec, list[FieldError]]:
    read = AnnotationReader(annotations)
    _check_class(read)
    metric = _choice(read, "metric", {m.value: m for m in Metric}, Metric.CONCURRENCY)
    stable_window_s = _or(
        read.seconds("window", WINDOW_MIN_S, WINDOW_MAX_S, whole=True), config.stable_window_s
    )
    panic_percentage = _or(
        read.number("panic-window-percentage", 1, 100), config.panic_window_percentage
    )
    min_scale, max_scale = _bounds(read, config)
    spec = AutoscalerSpec(
        decider=_decider(read, config, metric, container_concurrency, stable_window_s),
        metric=metric,
        algorithm=_choice(read, "metric-aggregation-algorithm", _ALGORITHMS, Algorithm.LINEAR),
        panic_window_s=_panic_window(stable_window_s, panic_percentage),
        min_scale=min_scale,
        max_scale=max_scale,
        initial_scale=_initial_scale(read, config),
        enable_scale_to_zero=config.enable_scale_to_zero,
        grace_period_s=config.grace_period_s,
        pod_retention_s=_or(
            read.seconds("scale-to-zero-pod-retention-period", 0, WINDOW_MAX_S),
            config.pod_retention_s,
        ),
    )
    _check_activation(read, spec)
    return spec, read.errors


def _decider(
    read: AnnotationReader,
    config: AutoscalerConfig,
    metric: Metric,
    container_concurrency: int,
    stable_window_s: float,
) -> DeciderSpec:
    total = _total(read, config, metric, container_concurrency)
    percentage = read.number("target-utilization-percentage", 1, 100)
    utilization = config.target_utilization if percentage is None else percentage / 100.0
    threshold = _or(
        read.number("panic-threshold-percentage", 110, 1000), config.panic_threshold_percentage
    )
    return DeciderSpec(
        target_value=max(TARGET_MIN, total * utilization),
        total_value=total,
        max_scale_up_rate=config.max_scale_up_rate,
        max_scale_down_rate=config.max_scale_down_rate,
        panic_threshold=threshold / 100.0,
        stable_window_s=stable_window_s,
        target_burst_capacity=_burst(read, config),
        activation_scale=_or(read.integer("activation-scale", least=2), 0),
        scale_down_delay_s=_or(
            read.seconds("scale-down-delay", 0, WINDOW_MAX_S, whole=True),
            config.scale_down_delay_s,
        ),
    )


def _total(
    read: AnnotationReader, config: AutoscalerConfig, metric: Metric, container_concurrency: int
) -> float:
    """What one pod can carry: the target annotation, the container's limit, or the default."""
    target = read.number("target", TARGET_MIN)
    if metric is Metric.RPS:
        return _or(target, config.rps_target)
    limit = float(container_concurrency)
    if target is None:
        return limit or config.concurrency_target
    return min(target, limit) if limit else target


def _burst(read: AnnotationReader, config: AutoscalerConfig) -> float:
    value = read.number("target-burst-capacity", -1)
    if value is not None and -1 < value < 0:
        read.fail("target-burst-capacity", f"must be 0 or more, or -1 for always, is {value:g}")
    return _or(value, config.target_burst_capacity)


def _bounds(read: AnnotationReader, config: AutoscalerConfig) -> tuple[int, int]:
    least, most = read.integer("min-scale"), read.integer("max-scale")
    limit = config.max_scale_limit
    if most is not None and limit and not 1 <= most <= limit:
        read.fail("max-scale", f"must be between 1 and the cluster's limit of {limit}, is {most}")
    min_scale, max_scale = _or(least, config.min_scale), _or(most, config.max_scale)
    if max_scale and max_scale < min_scale:
        read.fail("max-scale", f"{max_scale} is less than min-scale, {min_scale}")
    return min_scale, max_scale


def _initial_scale(read: AnnotationReader, config: AutoscalerConfig) -> int:
    value = read.integer("initial-scale")
    if value == 0 and not config.allow_zero_initial_scale:
        read.fail("initial-scale", "0 needs allow-zero-initial-scale: true in config-autoscaler")
    return _or(value, config.initial_scale)


def _check_activation(read: AnnotationReader, spec: AutoscalerSpec) -> None:
    scale = spec.decider.activation_scale
    if scale and scale < spec.min_scale:
        read.fail("activation-scale", f"{scale} is less than min-scale, {spec.min_scale}")
    if scale and spec.max_scale and scale > spec.max_scale:
        read.fail("activation-scale", f"{scale} is more than max-scale, {spec.max_scale}")


def _check_class(read: AnnotationReader) -> None:
    kind = read.text("class")
    if kind is not None and kind != KPA_CLASS:
        read.fail("class", f"{kind!r} is not run by this engine; use {KPA_CLASS}")


def _choice(read: AnnotationReader, name: str, choices: Mapping[str, _T], default: _T) -> _T:
    text = read.text(name)
    if text is None:
        return default
    if text not in choices:
        read.fail(name, f"{text!r} is none of {', '.join(sorted(choices))}")
        return default
    return choices[text]


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _panic_window(stable_window_s: float, percentage: float) -> float:
    """Whole seconds, halves up, and at least one bucket."""
    seconds = math.floor(stable_window_s * percentage / 100.0 + 0.5)
    return max(GRANULARITY_S, float(seconds))
