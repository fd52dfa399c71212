"""What happened lately in one bucket, for watchers that come back, and those that listen now."""

from __future__ import annotations

from collections import deque
from typing import Literal

from rouse.embedded.apiserver.errors import expired
from rouse.embedded.apiserver.records import Record

__all__ = ["Change", "ChangeType", "History"]

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

MAX_CHANGES = 4096
MAX_BYTES = 2 * 1024 * 1024
"""Per bucket; a dozen busy ones fill up, and the idle engine is to stay small."""
OVERHEAD = 2048
"""What a change takes beside its JSON: labels, fields, keys, and what it replaced."""


class Change:
    """A committed change. ``previous`` is what it replaced, None for ADDED."""

    __slots__ = ("bucket", "cache", "previous", "record", "type")

    def __init__(
        self, change: ChangeType, bucket: str, record: Record, previous: Record | None
    ) -> None:
        self.type: ChangeType = change
        self.bucket = bucket
        self.record = record
        self.previous = previous
        self.cache: dict[object, bytes] = {}
        """Encoded watch lines by (event type, form): many watchers share one encoding."""


class History:
    """A ring bounded in number and bytes; knows from which revision on it is complete."""

    def __init__(self, floor: int) -> None:
        self._floor = floor
        self._changes: deque[Change] = deque()
        self._bytes = 0

    def append(self, change: Change) -> None:
        """Remember a change, dropping the oldest beyond the bounds."""
        self._changes.append(change)
        self._bytes += len(change.record.raw) + OVERHEAD
        while len(self._changes) > MAX_CHANGES or self._bytes > MAX_BYTES:
            dropped = self._changes.popleft()
            self._bytes -= len(dropped.record.raw) + OVERHEAD
            self._floor = dropped.record.revision

    def since(self, revision: int) -> list[Change]:
        """Every change after ``revision``, oldest first; 410 Expired when some are gone."""
        if revision < self._floor:
            raise expired(f"too old resource version: {revision} ({self._floor})")
        found = []
        for change in reversed(self._changes):
            if change.record.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found
