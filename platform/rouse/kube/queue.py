"""A work queue of keys: each at most once, never twice at a time, failures ever more slowly."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from typing import Generic, TypeVar

from rouse.kube.backoff import Backoff

__all__ = ["DelayedKeys", "QueueShutDown", "WorkQueue"]

K = TypeVar("K", bound=Hashable)


class QueueShutDown(Exception):  # noqa: N818 - tells the end, not a failure
    """The queue was shut down; there will be no more keys."""


class DelayedKeys(Generic[K]):
    """Keys that become due later; a key waits at most once, for its earliest time. Pure."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: K, when: float) -> None:
        """Let ``key`` become due at ``when``, unless it is due earlier anyway."""
        if key in self._due and self._due[key] <= when:
            return
        self._due[key] = when
        self._push(when, key)
        if len(self._heap) > 2 * len(self._due) + 64:
            # Entries of forgotten keys stay in the heap until they come up: drop them in bulk.
            self._heap.clear()
            for one, due in self._due.items():
                self._push(due, one)

    def discard(self, key: K) -> None:
        """Forget a key."""
        self._due.pop(key, None)

    def _push(self, when: float, key: K) -> None:
        self._count += 1
        heappush(self._heap, (when, self._count, key))

    def next_at(self) -> float | None:
        """Return when the next key is due."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[K]:
        """Remove and return the keys due by ``now``, earliest first."""
        taken: list[K] = []
        while (when := self.next_at()) is not None and when <= now:
            key = heappop(self._heap)[2]
            del self._due[key]
            taken.append(key)
        return taken


class WorkQueue(Generic[K]):
    """Keys to work on, in the order they came.

    A key added while it waits is not added again; one added while it is worked on comes back when
    `done` is called. So the queue never holds more entries than there are keys. To be used within
    one event loop; ``clock`` is in seconds and defaults to the loop's. ``waited`` is told how long
    each key was in line, in seconds.
    """

    def __init__(
        self,
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] | None = None,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._waited = waited
        self.adds = 0
        """How many keys were put in line."""
        self.retries = 0
        self._waiting: deque[K] = deque()
        self._queued: dict[K, float] = {}
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._delayed: DelayedKeys[K] = DelayedKeys()
        self._failures: dict[K, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        """Return how many keys are ready to be worked on."""
        return len(self._waiting)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._delayed)

    @property
    def working(self) -> int:
        """How many keys are being worked on."""
        return len(self._working)

    def add(self, key: K) -> None:
        """Add a key that is to be worked on as soon as possible."""
        if self._closed:
            return
        self._delayed.discard(key)
        if key in self._working:
            self._again.add(key)
        elif key not in self._queued:
            self._queued[key] = self._now() if self._waited else 0.0
            self._waiting.append(key)
            self.adds += 1
            self._wake_one()

    def add_after(self, key: K, delay: float) -> None:
        """Add a key after ``delay`` seconds."""
        if delay <= 0:
            self.add(key)
        elif not self._closed and key not in self._queued:
            self._delayed.add(key, self._now() + delay)
            self._arm()

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Add a key that failed, after its backoff; return the delay in seconds."""
        self.retries += 1
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        delay = max(at_least, self._backoff.delay(failures))
        self.add_after(key, delay)
        return delay

    def failures(self, key: K) -> int:
        """Return how often in a row a key has failed."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """Start a key's backoff anew, as it succeeded."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for a key and take it; `done` must follow. Raises `QueueShutDown` at the end."""
        while not self._waiting:
            if self._closed:
                raise QueueShutDown
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                # The wake-up meant for this one must not be lost.
                if getter.done() and not getter.cancelled():
                    self._wake_one()
                raise
        key = self._waiting.popleft()
        since = self._queued.pop(key)
        if self._waited is not None:
            self._waited(self._now() - since)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """Say that the work on a key has ended, well or badly."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def shut_down(self) -> None:
        """Take no more keys, forget the waiting ones and end every `get`."""
        self._closed = True
        self._waiting.clear()
        self._queued.clear()
        self._again.clear()
        if self._timer is not None:
            self._timer.cancel()
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)
        self._getters.clear()

    def promote(self) -> None:
        """Move the keys that have become due; the queue's own timer calls this."""
        for key in self._delayed.take_due(self._now()):
            self.add(key)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        when = self._delayed.next_at()
        if when is not None and not self._closed:
            delay = max(0.0, when - self._now())
            self._timer = asyncio.get_running_loop().call_later(delay, self.promote)

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()
