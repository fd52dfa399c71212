"""Queries that several panels ask, with the variables that Grafana fills in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from scripts.dashboards.grafana import Query, Variable

__all__ = [
    "NAME",
    "SERVICE",
    "VARIABLES",
    "buckets",
    "every",
    "mean",
    "quantiles",
    "rate",
    "selected",
    "total",
]

SERVICE: Final = "namespace, inferenceservice"
NAME: Final = "{{inferenceservice}}"
VARIABLES: Final = (
    Variable("namespace", 'label_values(up{job="rouse-models"}, namespace)'),
    Variable(
        "service",
        'label_values(up{job="rouse-models", namespace=~"$namespace"}, inferenceservice)',
    ),
)
"""What readers choose; `selected` asks for it."""
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


def buckets(metric: str) -> str:
    """Return what `quantiles` takes of a histogram of the chosen services."""
    return rate(selected(f"{metric}_bucket"))


def mean(metric: str, by: str) -> str:
    """Return the mean of a histogram of the chosen services."""
    sums, counts = (total(by, rate(selected(f"{metric}_{part}"))) for part in ("sum", "count"))
    return f"{sums} / {counts}"


def quantiles(
    rates: str, by: str, legend: str, shares: Iterable[float] = (0.5, 0.95, 0.99)
) -> tuple[Query, ...]:
    """Return the quantiles of a histogram whose buckets are given as rates."""
    return tuple(
        Query(
            f"histogram_quantile({share}, {total(f'{by}, le', rates)})",
            f"p{round(100 * share)} {legend}",
        )
        for share in shares
    )
