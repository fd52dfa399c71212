"""Averages of a metric over the last seconds, kept in buckets of one granularity.

Values recorded in one bucket are added, not averaged. A query older than the newest record is
answered as of that record: history is not rewound.
"""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod

from rouse.autoscaler.instants import ceil_div, nanoseconds
from rouse.errors import InvalidError

__all__ = ["Algorithm", "LinearWindow", "WeightedWindow", "Window", "make_window"]

_LEAST_WEIGHT_LEFT = 0.0001
_MIN_COEFFICIENT = 0.2


class Algorithm(enum.StrEnum):
    """How the buckets of a window become one number."""

    LINEAR = "linear"
    WEIGHTED = "weighted"


class Window(ABC):
    """The last ``window_s`` seconds of a metric in buckets of ``granularity_s`` seconds."""

    def __init__(self, window_s: float, granularity_s: float = 1.0) -> None:
        if window_s <= 0 or granularity_s <= 0:
            raise InvalidError(
                f"a window of {window_s} s in buckets of {granularity_s} s: both must be positive"
            )
        self._window = nanoseconds(window_s)
        self._granularity = nanoseconds(granularity_s)
        self._count = ceil_div(window_s, granularity_s)
        self._buckets = [0.0] * self._count
        self._first = 0
        self._latest: int | None = None

    def record(self, at: float, value: float) -> None:
        """Add ``value`` to the bucket of time ``at``; too late a record is ignored."""
        bucket = nanoseconds(at) // self._granularity
        latest = self._latest
        if latest is None or (bucket - latest) * self._granularity >= self._window:
            self._buckets = [0.0] * self._count
            self._first = self._latest = bucket
        elif bucket > latest:
            for skipped in range(latest + 1, bucket + 1):
                self._buckets[skipped % self._count] = 0.0
            self._latest = bucket
        elif (latest - bucket) * self._granularity >= self._window:
            return
        else:
            self._first = min(self._first, bucket)
        self._buckets[bucket % self._count] += value

    def has_data(self, at: float) -> bool:
        """False before any record and when the newest is older than the window, strictly."""
        latest = self._latest
        return latest is not None and self._age(at, latest) * self._granularity <= self._window

    @abstractmethod
    def average(self, at: float) -> float:
        """The average as of time ``at``; 0 where nothing in the window was recorded."""

    def _age(self, at: float, latest: int) -> int:
        """Buckets from ``latest`` to that of ``at``; 0 for a query in the past."""
        return max(0, nanoseconds(at) // self._granularity - latest)

    def _back_from(self, latest: int, buckets: int) -> list[float]:
        """The values of ``buckets`` buckets from ``latest`` backwards."""
        return [self._buckets[(latest - back) % self._count] for back in range(buckets)]


class LinearWindow(Window):
    """The plain average: a young window divides by the buckets it has. Rounded to 6 decimals."""

    def average(self, at: float) -> float:
        """The sum of the buckets in the window divided by how many have been lived through."""
        latest = self._latest
        if latest is None:
            return 0.0
        age = self._age(at, latest)
        if age * self._granularity >= self._window:
            return 0.0
        left = self._count - age
        divisor = min(latest - self._first + 1, left)
        return _round6(math.fsum(self._back_from(latest, left)) / divisor)


class WeightedWindow(Window):
    """An exponentially weighted sum. The weights are not normalised: a young window reads low."""

    def __init__(self, window_s: float, granularity_s: float = 1.0) -> None:
        super().__init__(window_s, granularity_s)
        decay = math.pow(_LEAST_WEIGHT_LEFT, 1 / self._count)
        self._coefficient = max(1 - decay, _MIN_COEFFICIENT)

    def average(self, at: float) -> float:
        """The sum of value x k x (1 - k)^age over the buckets in the window."""
        latest = self._latest
        if latest is None or not self.has_data(at):
            return 0.0
        age = self._age(at, latest)
        keep = 1 - self._coefficient
        weight = self._coefficient * math.pow(keep, age)
        total = 0.0
        for value in self._back_from(latest, self._count - age):
            total += value * weight
            weight *= keep
        return total


def make_window(algorithm: Algorithm, window_s: float, granularity_s: float = 1.0) -> Window:
    """An empty window of that algorithm."""
    kind = LinearWindow if algorithm is Algorithm.LINEAR else WeightedWindow
    return kind(window_s, granularity_s)


def _round6(value: float) -> float:
    """``value`` to 6 decimals, halves away from zero."""
    scaled = abs(value) * 1e6
    whole = math.floor(scaled)
    if scaled - whole >= 0.5:
        whole += 1
    return math.copysign(whole / 1e6, value)
