"""How long a service lies idle: a histogram of the times from a request's end to the next one.

The bins are spaced evenly in the logarithm, because what matters is "about a minute" or "about six
hours", and a fixed number of them describes any service in a few hundred bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["BINS", "EDGES", "FIRST_S", "LAST_S", "IdleHistogram", "bin_of"]

FIRST_S: Final = 60.0
LAST_S: Final = 86_400.0
BINS: Final = 72
"""Bins from a minute to a day, each a tenth wider than the one before; longer times are beyond."""

_STEP: Final = math.log(LAST_S / FIRST_S) / BINS
EDGES: Final[tuple[float, ...]] = tuple(
    FIRST_S * math.exp(_STEP * edge) for edge in range(BINS + 1)
)

_FULL: Final = 256.0
"""Observations after which old ones are halved, so that a changed pattern takes over."""


def bin_of(seconds: float) -> int:
    """The bin of an idle time; `BINS` for one of a day and more."""
    if seconds <= FIRST_S:
        return 0
    return min(BINS, int(math.log(seconds / FIRST_S) / _STEP))


class IdleHistogram:
    """Counts by bin, the last one for times beyond `LAST_S`; old counts fade.

    `total` is the sum of the counts, `seconds` that of the times, each less the first minute.
    """

    __slots__ = ("counts", "seconds", "total")

    def __init__(self, counts: Sequence[float] | None = None, seconds: float = 0.0) -> None:
        self.counts = list(counts) if counts is not None else [0.0] * (BINS + 1)
        self.total = sum(self.counts)
        self.seconds = seconds

    def record(self, seconds: float) -> None:
        """Take in an idle time."""
        if self.total >= _FULL:
            self.counts = [count / 2 for count in self.counts]
            self.total /= 2
            self.seconds /= 2
        self.counts[bin_of(seconds)] += 1
        self.total += 1
        self.seconds += max(0.0, seconds - FIRST_S)
