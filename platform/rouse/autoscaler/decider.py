"""One tick of the autoscaler: how many pods the metrics ask for, and the burst capacity left.

Bounds, initial scale, grace and retention are the caller's (:mod:`rouse.autoscaler.scaler`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from rouse.autoscaler.instants import ceil_div, nanoseconds

__all__ = ["TICK_S", "Decider", "DeciderSpec", "Decision"]

TICK_S = 2.0
"""Seconds from one decision to the next, and the width of a slot of the scale-down delay."""


@dataclass(frozen=True, slots=True)
class DeciderSpec:
    """What a decision depends on besides the metrics.

    ``target_value`` is what one pod should carry, ``total_value`` what it can; both in units of
    the metric (requests in flight, or requests per second). Times are seconds.
    """

    target_value: float
    total_value: float
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    panic_threshold: float = 2.0
    stable_window_s: float = 60.0
    target_burst_capacity: float = 211.0
    activation_scale: int = 0
    scale_down_delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a tick; one without data is not ``valid`` and asks for nothing."""

    desired: int
    excess_burst_capacity: int
    valid: bool
    in_panic: bool | None


_NO_DATA = Decision(desired=0, excess_burst_capacity=0, valid=False, in_panic=None)


class _DelayWindow:
    """The maximum over the newest ``slots`` slots of one tick each, the present one included."""

    def __init__(self, delay_s: float) -> None:
        self._slots = ceil_div(delay_s, TICK_S)
        self._maxima: deque[tuple[int, int]] = deque()

    def raise_to(self, at: float, value: int) -> int:
        """Record ``value`` at time ``at`` and return the maximum of the window."""
        slot = nanoseconds(at) // nanoseconds(TICK_S)
        while self._maxima and self._maxima[-1][1] <= value:
            self._maxima.pop()
        self._maxima.append((slot, value))
        while slot - self._maxima[0][0] >= self._slots:
            self._maxima.popleft()
        return self._maxima[0][1]


class Decider:
    """The state that decisions leave behind: panic, its maximum, and the scale-down delay.

    Built at time ``now`` with ``initial_ready`` pods. Above one pod it is born in panic: after a
    restart the history is lost, and falling below what runs would be a guess.
    """

    def __init__(self, spec: DeciderSpec, *, initial_ready: int = 0, now: float = 0.0) -> None:
        self._spec = spec
        self._panic_since: int | None = nanoseconds(now) if initial_ready > 1 else None
        self._panic_maximum = initial_ready
        delay = spec.scale_down_delay_s
        self._delay = _DelayWindow(delay) if delay > 0 else None

    @property
    def spec(self) -> DeciderSpec:
        """The settings that the next decision uses."""
        return self._spec

    @spec.setter
    def spec(self, spec: DeciderSpec) -> None:
        if spec.scale_down_delay_s != self._spec.scale_down_delay_s:
            delay = spec.scale_down_delay_s
            self._delay = _DelayWindow(delay) if delay > 0 else None
        self._spec = spec

    @property
    def in_panic(self) -> bool:
        """Whether the last valid tick left the autoscaler in panic."""
        return self._panic_since is not None

    def decide(
        self, now: float, stable: float | None, panic: float | None, ready_pods: int
    ) -> Decision:
        """Decide the scale at ``now`` from the averages of both windows (``None``: no data)."""
        if stable is None or panic is None:
            return _NO_DATA
        spec = self._spec
        ready = max(1, ready_pods)
        stable_wanted = math.ceil(stable / spec.target_value)
        panic_wanted = math.ceil(panic / spec.target_value)
        stable_scale = self._limited(stable_wanted, ready)
        panic_scale = self._limited(panic_wanted, ready)
        self._update_panic(now, over=panic_wanted / ready >= spec.panic_threshold)
        desired = stable_scale
        if self._panic_since is not None:
            self._panic_maximum = max(self._panic_maximum, stable_scale, panic_scale)
            desired = self._panic_maximum
        if self._delay is not None:
            desired = self._delay.raise_to(now, desired)
        return Decision(
            desired=desired,
            excess_burst_capacity=excess_burst_capacity(spec, panic, ready_pods),
            valid=True,
            in_panic=self.in_panic,
        )

    def _limited(self, wanted: int, ready: int) -> int:
        """``wanted`` within the rates of change from ``ready``, then by the activation scale."""
        spec = self._spec
        upper = math.ceil(spec.max_scale_up_rate * ready)
        lower = math.floor(ready / spec.max_scale_down_rate)
        scale = min(max(wanted, lower), upper)
        if spec.activation_scale > 1 and wanted > 0:
            scale = max(scale, spec.activation_scale)
        return scale

    def _update_panic(self, now: float, *, over: bool) -> None:
        at = nanoseconds(now)
        if over:
            self._panic_since = at
        elif (
            self._panic_since is not None
            and self._panic_since + nanoseconds(self._spec.stable_window_s) < at
        ):
            self._panic_since = None
            self._panic_maximum = 0


def excess_burst_capacity(spec: DeciderSpec, panic: float, ready_pods: int) -> int:
    """How many more requests the ready pods could take at once; negative: use the activator."""
    burst = spec.target_burst_capacity
    if burst == 0:
        return 0
    if burst < 0:
        return -1
    return math.floor(ready_pods * spec.total_value - burst - panic)
