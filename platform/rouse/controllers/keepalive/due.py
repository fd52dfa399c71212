"""How many services are about to wake on each node pool."""

from __future__ import annotations

from typing import Final, NamedTuple

from rouse.kube.objects import Key

__all__ = ["AHEAD_S", "Due"]

AHEAD_S: Final = 600.0
"""So long before a wake-up a place is held for it: a node with a GPU takes minutes to come."""


class _Wake(NamedTuple):
    pool: str
    begin: float


class Due:
    """The next wake-up of each service that sleeps and names a pool, or gets one by its GPU."""

    def __init__(self) -> None:
        self._wakes: dict[Key, _Wake] = {}

    def note(self, service: Key, pool: str, begin: float | None) -> None:
        """Take note of when a service is woken next, in seconds since the epoch; None: never."""
        if pool and begin is not None:
            self._wakes[service] = _Wake(pool, begin)
        else:
            self._wakes.pop(service, None)

    def expected(self, pool: str, now: float) -> int:
        """Return how many wake soon; from its time on a wake-up needs the place itself."""
        soon = (one for one in self._wakes.values() if one.pool == pool)
        return sum(now < one.begin <= now + AHEAD_S for one in soon)
