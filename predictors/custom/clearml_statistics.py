"""``collect_custom_statistics_fn`` of ClearML's classes, as metrics of this server."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from predictors.serving.metrics import counter, histogram

__all__ = ["Statistics"]

_log = logging.getLogger(__name__)

_ODD: Final = re.compile(r"[^a-zA-Z0-9_:]")
_TEXT: Final = "Statistics of user code"
_BOUNDS: Final = tuple(
    sign * digit * 10.0**power
    for sign, powers in ((-1, (3, 2, 1, 0)), (1, (-3, -2, -1, 0, 1, 2, 3)))
    for power in powers
    for digit in ((5, 2, 1) if sign < 0 else (1, 2, 5))
)


class Statistics:
    """``<endpoint>:<variable>``: histograms of numbers, counts of words by the label ``value``."""

    def __init__(self, endpoint: str) -> None:
        self._prefix = _ODD.sub("_", endpoint)
        self._refused: set[str] = set()

    def collect(self, values: Mapping[str, Any]) -> None:
        """Add one observation of each variable, or one for each element of a list of them."""
        for variable, value in values.items():
            name = _name(self._prefix, variable)
            for each in np.asarray(value).ravel().tolist():
                self._observe(name, each)

    def _observe(self, name: str, value: object) -> None:
        try:
            if isinstance(value, int | float):
                histogram(name, _TEXT, _BOUNDS).observe(float(value))
            else:
                counter(name, _TEXT).inc(value=str(value))
        except ValueError as error:  # a number and then a word: said once, and left out
            if name not in self._refused:
                self._refused.add(name)
                _log.warning("statistic %s is left out: %s", name, error)


def _name(prefix: str, variable: str) -> str:
    name = f"{prefix}:{_ODD.sub('_', str(variable))}"
    return f"_{name}" if name[0].isdigit() else name
