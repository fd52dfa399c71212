"""How often drift is repaired: two that will not yield must not keep the API busy. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from rouse.kube.apply import APPLIED
from rouse.kube.objects import Key

__all__ = ["WITHIN", "Repairs", "is_repair"]

MOST: Final = 5
WITHIN: Final = timedelta(minutes=1)


def is_repair(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> bool:
    """Say whether ``wanted``, stamped, was applied before and somebody changed it since."""
    if live is None:
        return False
    stamp = (live["metadata"].get("annotations") or {}).get(APPLIED)
    return bool(stamp and stamp == wanted["metadata"]["annotations"][APPLIED])


class Repairs:
    """Lets five repairs a minute through for each owner."""

    def __init__(self) -> None:
        self._done: dict[Key, deque[datetime]] = {}

    def allow(self, key: Key, now: datetime) -> bool:
        """Say whether something may be repaired now, and count it if so."""
        done = self._done.setdefault(key, deque(maxlen=MOST))
        if len(done) == MOST and now - done[0] < WITHIN:
            return False
        done.append(now)
        return True

    def forget(self, key: Key) -> None:
        """Forget an owner that is gone."""
        self._done.pop(key, None)
