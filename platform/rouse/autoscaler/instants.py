"""Seconds as whole nanoseconds, so that "strictly before" and "the same bucket" mean just that."""

from __future__ import annotations

import math

__all__ = ["ceil_div", "nanoseconds"]


def nanoseconds(seconds: float) -> int:
    """``seconds`` as the nearest whole number of nanoseconds."""
    return round(seconds * 1_000_000_000)


def ceil_div(seconds: float, step: float) -> int:
    """How many steps of ``step`` seconds cover ``seconds``."""
    return math.ceil(nanoseconds(seconds) / nanoseconds(step))
