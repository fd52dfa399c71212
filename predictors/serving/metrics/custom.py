"""Metrics of user code, shown beside the server's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Final, TypeVar

from predictors.serving.metrics.histogram import BUCKETS, Histogram, head, labelled

__all__ = [
    "Counter",
    "Gauge",
    "Observed",
    "counter",
    "custom_lines",
    "expose",
    "gauge",
    "histogram",
]

_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_lock: Final = Lock()


class _Metric:
    """Values by label values. Safe to use from any thread."""

    kind = ""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def lines(self) -> Iterator[str]:
        """The samples."""
        raise NotImplementedError


class _Numbers(_Metric):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self._values: dict[str, float] = {}

    def lines(self) -> Iterator[str]:
        """The samples."""
        for labels, value in sorted(self._values.items()):
            yield f"{self.name}{{{labels}}} {value!r}" if labels else f"{self.name} {value!r}"


class Counter(_Numbers):
    """A number that only grows."""

    kind = "counter"

    def inc(self, amount: float = 1.0, **labels: str) -> None:
        """Add `amount`. Raises ValueError if it is negative."""
        if amount < 0:
            raise ValueError(f"counter {self.name} cannot grow by {amount}")
        key = labelled(labels)
        with _lock:
            self._values[key] = self._values.get(key, 0.0) + amount


class Gauge(_Numbers):
    """A number that is what it is."""

    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        """Make it `value`."""
        with _lock:
            self._values[labelled(labels)] = float(value)


class Observed(_Metric):
    """A histogram of any values."""

    kind = "histogram"

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        super().__init__(name, text)
        self._bounds = tuple(float(bound) for bound in bounds)
        self._values: dict[str, Histogram] = {}

    def observe(self, value: float, **labels: str) -> None:
        """Add one observation."""
        key = labelled(labels)
        with _lock:
            found = self._values.setdefault(key, Histogram(self._bounds))
            found.observe(value)

    def lines(self) -> Iterator[str]:
        """The samples."""
        for labels, values in sorted(self._values.items()):
            yield from values.lines(self.name, labels)


_M = TypeVar("_M", bound=_Metric)

_metrics: Final[dict[str, _Metric]] = {}
_others: Final[dict[str, Callable[[], Iterator[str]]]] = {}


def counter(name: str, text: str = "") -> Counter:
    """The counter of that name, made where it does not exist. Raises ValueError."""
    return _registered(Counter(name, text))


def gauge(name: str, text: str = "") -> Gauge:
    """The gauge of that name, made where it does not exist. Raises ValueError."""
    return _registered(Gauge(name, text))


def histogram(name: str, text: str = "", bounds: Sequence[float] = BUCKETS) -> Observed:
    """The histogram of that name, made where it does not exist. Raises ValueError."""
    return _registered(Observed(name, text, sorted(bounds)))


def expose(registry: str, lines: Callable[[], Iterator[str]]) -> None:
    """Show another library's metrics as well; `lines` gives them in the text format."""
    _others[registry] = lines


def custom_lines() -> Iterator[str]:
    """The text format of all metrics of user code."""
    with _lock:
        for metric in _metrics.values():
            yield from head(metric.name, metric.kind, metric.text)
            yield from metric.lines()
    for lines in _others.values():
        yield from lines()


def _registered(made: _M) -> _M:
    if not _NAME.fullmatch(made.name):
        raise ValueError(f"{made.name!r} is no metric's name: letters, digits, _ and : only")
    with _lock:
        known = _metrics.setdefault(made.name, made)
    if not isinstance(known, type(made)):
        raise ValueError(f"metric {made.name} is a {known.kind} already")
    return known
