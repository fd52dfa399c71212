"""How often something costly may be done: by the time it takes."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """Lets something take a share of the time and no more. Times are the event loop's, in s."""

    def __init__(self, share: float = 0.1) -> None:
        self._share = share
        self._rests_until = 0.0

    def rest(self, now: float) -> float:
        """Return how long to wait before it is done again; 0: it may be now."""
        return max(0.0, self._rests_until - now)

    def took(self, seconds: float, now: float) -> None:
        """Take in that it was done, and how long that took."""
        self._rests_until = now + seconds / self._share
