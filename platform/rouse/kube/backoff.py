"""How long to wait before trying again. Pure: randomness is an argument."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays in seconds, from ``base`` to ``limit``; ``jitter`` is a share of each.

    Jitter only shortens a delay, so ``limit`` holds.
    """

    base: float = 0.005
    limit: float = 60.0
    factor: float = 2.0
    jitter: float = 0.0
    uniform: Callable[[float, float], float] = random.uniform

    def delay(self, failures: int) -> float:
        """Return the delay after the given number of failures in a row, 1 for the first."""
        # The exponent is capped where any limit is long reached, far below overflow.
        full = min(self.limit, self.base * self.factor ** min(max(failures - 1, 0), 64))
        return full * (1.0 - self.uniform(0.0, self.jitter)) if self.jitter else full
