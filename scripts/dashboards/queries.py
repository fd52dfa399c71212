"""Queries that several panels ask, with the variables that Grafana fills in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from scripts.dashboards.grafana import Query

__all__ = ["SERVICE", "every", "mean", "quantiles", "rate", "selected", "total"]

SERVICE: Final = "namespace, inferenceservice"
_CHOSEN: Final = 'namespace=~"$namespace", inferenceservice=~"$service"'


def selected(metric: str, *matchers: str) -> str:
    """Return the metric of the services that the reader chose."""
    return f"{metric}{{{', '.join((_CHOSEN, *matchers))}}}"


def every(metric: str, *matchers: str) -> str:
    """Return the metric of all that tell it."""
    return f"{metric}{{{', '.join(matchers)}}}" if matchers else metric


def rate(series: str) -> str:
    """Return the increase a second."""
    return f"rate({series}[$__rate_interval])"


def total(by: str, expr: str) -> str:
    """Return the sum by labels."""
    return f"sum by ({by}) ({expr})"


def mean(by: str, series_of: tuple[str, str]) -> str:
    """Return the mean of a histogram: of its ``(sum, count)``."""
    sums, counts = (total(by, rate(series)) for series in series_of)
    return f"{sums} / {counts}"


def quantiles(
    buckets: str, by: str, legend: str, shares: Iterable[float] = (0.5, 0.95, 0.99)
) -> tuple[Query, ...]:
    """Return the quantiles of a histogram whose buckets are given as rates."""
    return tuple(
        Query(
            f"histogram_quantile({share}, {total(f'{by}, le', buckets)})",
            f"p{round(100 * share)} {legend}",
        )
        for share in shares
    )
