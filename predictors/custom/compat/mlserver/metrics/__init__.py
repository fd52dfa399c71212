"""``mlserver.register`` and ``mlserver.log``: histograms on the server's own page."""

from __future__ import annotations

from predictors.serving.metrics import histogram
from predictors.serving.metrics.custom import Observed

from ..context import model_name_var, model_version_var  # noqa: TID252 - this package is found as mlserver

__all__ = ["log", "register"]


def register(name: str, description: str) -> Observed:
    """The histogram of that name, made where it does not exist."""
    return histogram(name, description)


def log(**metrics: float) -> None:
    """Observe each value, by the labels of the model that is asked."""
    name, version = model_name_var.get(""), model_version_var.get("")
    for metric, value in metrics.items():
        histogram(metric).observe(float(value), model_name=name, model_version=version)
