"""Counters, gauges and histograms in Prometheus' text format. Pure.

Two hundred lines less to load than a client library, which also brings threads and an HTTP server.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

__all__ = ["CONTENT_TYPE", "SECONDS", "Family", "Histogram", "Labels", "render"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

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

    def lines(self) -> Iterator[str]:
        """Yield the samples as text."""
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

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one duration."""
        counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, seconds)] += 1
        self.add(*labels, by=seconds)

    def lines(self) -> Iterator[str]:
        """Yield buckets, sum and count as text."""
        for values, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*self._bounds, None), counts, strict=True):
                total += count
                limit = "+Inf" if bound is None else _number(bound)
                braces = _braces((*self.labels, "le"), (*values, limit))
                yield f"{self.name}_bucket{braces} {total}"
            braces = _braces(self.labels, values)
            yield f"{self.name}_sum{braces} {_number(self._values[values])}"
            yield f"{self.name}_count{braces} {total}"


def render(families: Iterable[Family]) -> str:
    """Return the text that Prometheus reads."""
    lines: list[str] = []
    for family in families:
        lines += (f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {family.kind}")
        lines += family.lines()
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
