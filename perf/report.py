"""How a benchmark ends: a table for people, then one line of JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

__all__ = ["Figure", "percentile", "publish"]


@dataclass(frozen=True)
class Figure:
    """One measured number. ``bar`` is the most it may be, the least with ``at_least``.

    ``value`` is None where it could not be measured; then ``note`` says why.
    """

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    note: str = ""
    at_least: bool = False

    @property
    def missed(self) -> bool:
        """Whether it was measured and is on the wrong side of its bar."""
        if self.value is None or self.bar is None:
            return False
        return self.value < self.bar if self.at_least else self.value > self.bar


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of the values."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def publish(bench: str, figures: Sequence[Figure]) -> None:
    """Print the figures, the JSON line last."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        bar = "" if figure.bar is None else f"  (bar: {sign} {figure.bar:g} {figure.unit})"
        note = f"  {figure.note}" if figure.note else ""
        value = "-" if figure.value is None else f"{figure.value:.3f}"
        print(f"  {figure.name:<{width}}  {value:>10} {figure.unit}{bar}{note}")
    line = {
        "bench": bench,
        "figures": {
            figure.name: {
                "value": None if figure.value is None else round(figure.value, 4),
                "unit": figure.unit,
                "bar": figure.bar,
            }
            for figure in figures
        },
    }
    print(orjson.dumps(line).decode(), flush=True)
