"""Background work of the server: a queue without duplicates and one task that empties it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Worker"]

_log = logging.getLogger(__name__)

T = TypeVar("T", bound=Hashable)

RETRY_S = 0.5


class Worker(Generic[T]):
    """Calls ``work(item)`` for every distinct queued item, one at a time; retries failures."""

    def __init__(self, name: str, work: Callable[[T], Awaitable[None]]) -> None:
        self._name = name
        self._work = work
        self._queue: dict[T, None] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, item: T) -> None:
        """Queue an item unless it waits already."""
        self._queue.setdefault(item)
        self._wanted.set()

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Stop now; what is left in the queue is found again at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._queue:
                item = next(iter(self._queue))
                del self._queue[item]
                try:
                    await self._work(item)
                except Exception:
                    _log.exception("%s: %s failed and is tried again", self._name, item)
                    loop.call_later(RETRY_S, self.add, item)
