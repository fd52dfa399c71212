"""Counters, gauges and histograms in the text formats of Prometheus and OpenMetrics. Pure.

Two hundred lines less to load than a client library, which also brings threads and an HTTP server.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

__all__ = ["CONTENT_TYPE", "OPENMETRICS", "SECONDS", "Family", "Histogram", "Labels", "render"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper bounds of the buckets of durations."""

Labels: TypeAlias = tuple[str, ...]
"""Values of a family's labels, in the order of their names."""


class Family:
    """One metric with all its label values; ``kind`` is ``counter`` or ``gauge``."""

    def __init__(self, kind: str, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.kind = kind
        self.name = name
        self.text = text
        self.labels = tuple(labels)
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count."""
        self._values[labels] = self._values.get(labels, 0.0) + by

    def set(self, value: float, *labels: str) -> None:
        """Put a value in place of the one before."""
        self._values[labels] = value

    def drop(self, *labels: str) -> None:
        """Forget the value of these labels."""
        self._values.pop(labels, None)

    def lines(self, *, openmetrics: bool = False) -> Iterator[str]:
        """Yield the samples as text, which is the same in both formats."""
        for values, number in sorted(self._values.items()):
            yield f"{self.name}{_braces(self.labels, values)} {_number(number)}"


class Histogram(Family):
    """Durations in seconds, counted by size."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str] = (),
        *,
        bounds: Sequence[float] = SECONDS,
    ) -> None:
        super().__init__("histogram", name, text, labels)
        self._bounds = tuple(bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._exemplars: dict[tuple[Labels, int], str] = {}

    def observe(self, seconds: float, *labels: str, trace_id: str = "") -> None:
        """Count one duration; ``trace_id`` leads to it as an exemplar of its bucket."""
        counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
        place = bisect_left(self._bounds, seconds)
        counts[place] += 1
        self.add(*labels, by=seconds)
        if trace_id:
            told = _braces(("trace_id",), (trace_id,))
            self._exemplars[labels, place] = f" # {told} {float(seconds)!r}"

    def drop(self, *labels: str) -> None:
        """Forget everything of these labels."""
        super().drop(*labels)
        self._counts.pop(labels, None)
        for place in range(len(self._bounds) + 1):
            self._exemplars.pop((labels, place), None)

    def lines(self, *, openmetrics: bool = False) -> Iterator[str]:
        """Yield buckets, sum and count as text; only OpenMetrics knows exemplars."""
        limits = [repr(float(one)) if openmetrics else _number(one) for one in self._bounds]
        for values, counts in sorted(self._counts.items()):
            total = 0
            for place, (limit, count) in enumerate(zip((*limits, "+Inf"), counts, strict=True)):
                total += count
                braces = _braces((*self.labels, "le"), (*values, limit))
                exemplar = self._exemplars.get((values, place), "") if openmetrics else ""
                yield f"{self.name}_bucket{braces} {total}{exemplar}"
            braces = _braces(self.labels, values)
            yield f"{self.name}_sum{braces} {_number(self._values[values])}"
            yield f"{self.name}_count{braces} {total}"


def render(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """Return the text that Prometheus reads, or that of OpenMetrics 1.0."""
    lines: list[str] = []
    for family in families:
        # OpenMetrics names a counter without the suffix of its sample.
        name = family.name.removesuffix("_total") if openmetrics else family.name
        lines += (f"# HELP {name} {family.text}", f"# TYPE {name} {family.kind}")
        lines += family.lines(openmetrics=openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _braces(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
