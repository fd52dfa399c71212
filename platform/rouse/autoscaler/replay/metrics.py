"""Decisions from given averages, tick by tick."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.autoscaler.decider import Decider, DeciderSpec, Decision
from rouse.traces import Trace

__all__ = ["MetricsConfig", "MetricsTrace", "replay_metrics"]

_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]

Tick = tuple[float, float | None, float | None, Annotated[int, Field(ge=0)]]
"""Time in seconds, stable and panic average (null: no data), ready pods."""


class MetricsConfig(Trace):
    """What the decisions depend on; times in seconds, `target_value` after utilization."""

    metric: Literal["concurrency", "rps"] = "concurrency"
    total_value: _Positive
    target_value: _Positive
    max_scale_up_rate: Annotated[float, Field(gt=1)] = 1000.0
    max_scale_down_rate: Annotated[float, Field(gt=1)] = 2.0
    panic_threshold: _Positive = 2.0
    stable_window_s: _Positive = 60.0
    panic_window_percentage: _Positive = 10.0
    target_burst_capacity: float = 211.0
    activation_scale: Annotated[int, Field(ge=0)] = 0
    scale_down_delay_s: _NotNegative = 0.0
    initial_ready: Annotated[int, Field(ge=0)] = 0

    def decider(self) -> Decider:
        """An autoscaler built at t = 0 with these settings."""
        spec = DeciderSpec(
            target_value=self.target_value,
            total_value=self.total_value,
            max_scale_up_rate=self.max_scale_up_rate,
            max_scale_down_rate=self.max_scale_down_rate,
            panic_threshold=self.panic_threshold,
            stable_window_s=self.stable_window_s,
            target_burst_capacity=self.target_burst_capacity,
            activation_scale=self.activation_scale,
            scale_down_delay_s=self.scale_down_delay_s,
        )
        return Decider(spec, initial_ready=self.initial_ready)


class MetricsTrace(Trace):
    """One autoscaler's life: its settings and its ticks."""

    config: MetricsConfig
    ticks: list[Tick]


def replay_metrics(trace: MetricsTrace) -> list[Decision]:
    """The decision of every tick."""
    decider = trace.config.decider()
    return [decider.decide(*tick) for tick in trace.ticks]
