"""How long to wait before starting something again that ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RestartBackoff"]


@dataclass(slots=True)
class RestartBackoff:
    """Doubling delays in seconds, shorter than the kubelet's (10 s to 5 min): a user watches."""

    initial: float = 0.5
    maximum: float = 60.0
    reset_after: float = 60.0
    """Having run this long counts as healthy: the delay starts over."""
    _next: float = 0.0

    def next(self, lived: float) -> float:
        """The delay after something ended that had run for ``lived`` seconds."""
        if lived >= self.reset_after or not self._next:
            self._next = self.initial
        delay = self._next
        self._next = min(self._next * 2, self.maximum)
        return delay
