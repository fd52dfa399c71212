"""A histogram, and samples in the text format."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = ["BUCKETS", "SIZES", "STARTS", "Histogram", "head", "labelled"]

BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
    0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds in seconds: a linear model answers in tens of microseconds."""

SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""Upper bounds of counts: rows of a batch, requests in a queue."""

STARTS: Final = (
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0, 600.0, 1200.0,
)  # fmt: skip
"""Upper bounds in seconds: from a fork to a model of many gigabytes that is downloaded first."""


class Histogram:
    """Counts of observed values, by upper bound; seconds unless told otherwise."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = BUCKETS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """The samples of this histogram; `labels` is like ``model_name="iris"``, or empty."""
        below = 0
        comma = "," if labels else ""
        for bound, count in zip(self.bounds, self.counts, strict=False):
            below += count
            yield f'{name}_bucket{{{labels}{comma}le="{bound!r}"}} {below}'
        below += self.counts[-1]
        yield f'{name}_bucket{{{labels}{comma}le="+Inf"}} {below}'
        braced = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{braced} {self.total!r}"
        yield f"{name}_count{braced} {below}"


def head(name: str, kind: str, text: str) -> Iterator[str]:
    """The two lines before the samples of a metric."""
    told = text.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"


def labelled(labels: Mapping[str, str]) -> str:
    """Labels as they stand between the braces."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
