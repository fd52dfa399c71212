"""The cluster-wide settings of the autoscaler: the ConfigMap ``config-autoscaler``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rouse.autoscaler.durations import parse_duration
from rouse.errors import FieldError, ValidationError

__all__ = ["TARGET_MIN", "WINDOW_MAX_S", "WINDOW_MIN_S", "AutoscalerConfig", "parse_config"]

CONFIG_NAME = "config-autoscaler"
TARGET_MIN = 0.01
WINDOW_MIN_S, WINDOW_MAX_S = 6.0, 3600.0


@dataclass(frozen=True, slots=True)
class AutoscalerConfig:
    """Defaults for every revision; fractions are in (0, 1], times are seconds."""

    enable_scale_to_zero: bool = True
    allow_zero_initial_scale: bool = False
    initial_scale: int = 1
    min_scale: int = 0
    max_scale: int = 0
    max_scale_limit: int = 0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    concurrency_target: float = 100.0
    rps_target: float = 200.0
    target_utilization: float = 0.7
    target_burst_capacity: float = 211.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    stable_window_s: float = 60.0
    scale_down_delay_s: float = 0.0
    grace_period_s: float = 30.0
    pod_retention_s: float = 0.0


def parse_config(data: Mapping[str, str]) -> AutoscalerConfig:
    """The settings of the ConfigMap's ``data``; keys it does not know are ignored.

    Raises ``ValidationError`` with every value that is malformed or out of its range.
    """
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for key, (field, parse) in _KEYS.items():
        if key not in data:
            continue
        try:
            values[field] = parse(data[key])
        except ValueError as error:
            errors.append(FieldError(f"data[{key}]", str(error)))
    config = AutoscalerConfig(**values)
    errors += _check(config)
    if errors:
        raise ValidationError("ConfigMap", CONFIG_NAME, errors)
    return config


def _bool(text: str) -> bool:
    if text.lower() in ("true", "1", "t"):
        return True
    if text.lower() in ("false", "0", "f"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _fraction(text: str) -> float:
    """A percentage; values up to 1 are fractions already, as Knative reads them."""
    value = float(text)
    return value / 100.0 if value > 1.0 else value


_KEYS: dict[str, tuple[str, Callable[[str], object]]] = {
    "enable-scale-to-zero": ("enable_scale_to_zero", _bool),
    "allow-zero-initial-scale": ("allow_zero_initial_scale", _bool),
    "initial-scale": ("initial_scale", int),
    "min-scale": ("min_scale", int),
    "max-scale": ("max_scale", int),
    "max-scale-limit": ("max_scale_limit", int),
    "max-scale-up-rate": ("max_scale_up_rate", float),
    "max-scale-down-rate": ("max_scale_down_rate", float),
    "container-concurrency-target-default": ("concurrency_target", float),
    "container-concurrency-target-percentage": ("target_utilization", _fraction),
    "requests-per-second-target-default": ("rps_target", float),
    "target-burst-capacity": ("target_burst_capacity", float),
    "panic-window-percentage": ("panic_window_percentage", float),
    "panic-threshold-percentage": ("panic_threshold_percentage", float),
    "stable-window": ("stable_window_s", parse_duration),
    "scale-down-delay": ("scale_down_delay_s", parse_duration),
    "scale-to-zero-grace-period": ("grace_period_s", parse_duration),
    "scale-to-zero-pod-retention-period": ("pod_retention_s", parse_duration),
}
_KEY_OF = {field: key for key, (field, _) in _KEYS.items()}


def _check(config: AutoscalerConfig) -> list[FieldError]:
    c = config
    rules: list[tuple[str, bool, str]] = [
        ("initial_scale", c.initial_scale >= 0, "must be at least 0"),
        (
            "initial_scale",
            c.initial_scale != 0 or c.allow_zero_initial_scale,
            "0 needs allow-zero-initial-scale: true",
        ),
        ("min_scale", c.min_scale >= 0, "must be at least 0"),
        ("max_scale", c.max_scale >= 0, "must be at least 0"),
        (
            "max_scale",
            c.max_scale_limit == 0 or 1 <= c.max_scale <= c.max_scale_limit,
            f"must be between 1 and max-scale-limit, {c.max_scale_limit}",
        ),
        ("max_scale_limit", c.max_scale_limit >= 0, "must be at least 0"),
        ("max_scale_up_rate", c.max_scale_up_rate > 1, "must be more than 1"),
        ("max_scale_down_rate", c.max_scale_down_rate > 1, "must be more than 1"),
        ("concurrency_target", c.concurrency_target >= TARGET_MIN, f"must be >= {TARGET_MIN}"),
        ("rps_target", c.rps_target >= TARGET_MIN, f"must be >= {TARGET_MIN}"),
        ("target_utilization", 0 < c.target_utilization <= 1, "must be in (0, 100]"),
        (
            "target_burst_capacity",
            c.target_burst_capacity >= 0 or c.target_burst_capacity == -1,
            "must be 0 or more, or -1 for unlimited",
        ),
        ("panic_window_percentage", 1 <= c.panic_window_percentage <= 100, "must be in [1, 100]"),
        (
            "panic_threshold_percentage",
            c.panic_threshold_percentage > 0,
            "must be positive",
        ),
        (
            "stable_window_s",
            WINDOW_MIN_S <= c.stable_window_s <= WINDOW_MAX_S,
            "must be between 6s and 1h",
        ),
        ("stable_window_s", c.stable_window_s.is_integer(), "must be whole seconds"),
        ("scale_down_delay_s", c.scale_down_delay_s >= 0, "must not be negative"),
        ("scale_down_delay_s", c.scale_down_delay_s.is_integer(), "must be whole seconds"),
        ("grace_period_s", c.grace_period_s > 0, "must be positive"),
        ("pod_retention_s", c.pod_retention_s >= 0, "must not be negative"),
    ]
    return [
        FieldError(f"data[{_KEY_OF[field]}]", f"{message}, is {getattr(config, field):g}")
        for field, holds, message in rules
        if not holds
    ]
