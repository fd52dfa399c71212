"""The rest of a list between two pages: one snapshot per token, few of them, not for long."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from rouse.embedded.apiserver.errors import StatusError
from rouse.embedded.apiserver.records import Record

__all__ = ["Pages"]

MAX_SNAPSHOTS = 64
LIFETIME_S = 300.0


class Pages:
    """Snapshots by continue token. Consistent: later writes do not show in later pages."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, int, list[Record]]] = OrderedDict()

    def keep(self, revision: int, records: list[Record]) -> str:
        """Keep the rest of a list; returns its token."""
        now = self._clock()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) < MAX_SNAPSHOTS and now - oldest[0] < LIFETIME_S:
                break
            self._kept.popitem(last=False)
        token = secrets.token_urlsafe(12)
        self._kept[token] = (now, revision, records)
        return token

    def take(self, token: str) -> tuple[int, list[Record]]:
        """The revision and rest of a token; 410 when it is forgotten.

        A token stays valid for a client that repeats a page.
        """
        found = self._kept.get(token)
        if found is None or self._clock() - found[0] >= LIFETIME_S:
            raise StatusError(
                410,
                "Expired",
                "The provided continue parameter is too old to display a consistent list result. "
                "You can start a new list without the continue parameter.",
            )
        return found[1], found[2]
