"""Those who watch: each has a bounded queue; who reads too slowly is cut off and must come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rouse.embedded.apiserver.history import Change, ChangeType
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.selectors import Selector

__all__ = ["Encoder", "Hub", "Watcher"]

Encoder = Callable[[Record], bytes]

MAX_LINES = 20_000
MAX_BYTES = 64 * 1024 * 1024


class Watcher:
    """A queue of encoded events for one client."""

    def __init__(
        self, namespace: str, selector: Selector, encode: Encoder, form: object = None
    ) -> None:
        self._namespace = namespace
        self._selector = selector
        self._encode = encode
        self._form = form
        """Watchers of equal form (not None) share encoded lines."""
        self._lines: list[bytes] = []
        self._behind = 0
        self._bytes = 0
        self._ready = asyncio.Event()
        self.closed = False

    def offer(self, change: Change) -> None:
        """Queue a change if this watcher's selector sees it."""
        kind = self._seen_as(change)
        if kind is not None and not self.closed:
            self._push(self._line(kind, change))

    def push_state(self, record: Record) -> None:
        """Queue an existing object as ADDED; the first state does not count as falling behind."""
        if self._selector.matches(record):
            self._lines.append(_line(b"ADDED", self._encode(record)))
            self._ready.set()

    def push_raw(self, line: bytes) -> None:
        """Queue a ready line, e.g. a bookmark."""
        self._push(line)

    def close(self) -> None:
        """End the stream after what is queued."""
        self.closed = True
        self._ready.set()

    async def take(self, timeout: float) -> bytes | None:
        """All queued lines, b"" after ``timeout`` seconds of silence, None at the end."""
        if not self._lines and not self.closed:
            try:
                async with asyncio.timeout(timeout):
                    await self._ready.wait()
            except TimeoutError:
                return b""
        self._ready.clear()
        if not self._lines:
            return None if self.closed else b""
        lines, self._lines = self._lines, []
        self._behind = self._bytes = 0
        if self.closed:
            self._ready.set()
        return b"".join(lines)

    def _seen_as(self, change: Change) -> ChangeType | None:
        """The event as this selector sees it: what leaves its view is DELETED to it."""
        if self._namespace and change.record.key.namespace != self._namespace:
            return None
        if self._selector.empty:
            return change.type
        now = change.type != "DELETED" and self._selector.matches(change.record)
        before = change.previous is not None and self._selector.matches(change.previous)
        if now:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else None

    def _line(self, kind: ChangeType, change: Change) -> bytes:
        if self._form is None:
            return _line(kind.encode(), self._encode(change.record))
        cached = change.cache.get((kind, self._form))
        if cached is None:
            cached = _line(kind.encode(), self._encode(change.record))
            change.cache[kind, self._form] = cached
        return cached

    def _push(self, line: bytes) -> None:
        self._lines.append(line)
        self._behind += 1
        self._bytes += len(line)
        if self._behind > MAX_LINES or self._bytes > MAX_BYTES:
            self._lines = []
            self.closed = True
        self._ready.set()


class Hub:
    """Watchers by bucket; the store tells it every committed change."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = {}

    def publish(self, change: Change) -> None:
        """Offer a change to all who watch its bucket."""
        watchers = self._watchers.get(change.bucket)
        if watchers:
            for watcher in watchers:
                watcher.offer(change)
        change.cache.clear()  # only this fan-out shares lines; the history keeps records

    def add(self, bucket: str, watcher: Watcher) -> None:
        """Start telling a watcher."""
        self._watchers.setdefault(bucket, set()).add(watcher)

    def discard(self, bucket: str, watcher: Watcher) -> None:
        """Stop telling it."""
        self._watchers.get(bucket, set()).discard(watcher)

    def count(self) -> int:
        """How many are watching."""
        return sum(len(watchers) for watchers in self._watchers.values())

    def close_bucket(self, bucket: str) -> None:
        """End every watch of a resource that is served no longer."""
        for watcher in self._watchers.pop(bucket, set()):
            watcher.close()

    def close(self) -> None:
        """End every watch."""
        for bucket in list(self._watchers):
            self.close_bucket(bucket)


def _line(kind: bytes, raw: bytes) -> bytes:
    return b'{"type":"' + kind + b'","object":' + raw + b"}\n"
