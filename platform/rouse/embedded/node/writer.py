"""Writes pods' status in the background: the newest only, until the API takes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from rouse.errors import ApiError
from rouse.kube.objects import Key

__all__ = ["BackgroundWriter"]

logger = logging.getLogger(__name__)

_COALESCE_S: Final = 0.01
_RETRY_S: Final = (0.05, 5.0)


class BackgroundWriter:
    """Calls ``write(key)`` for keys marked with ``mark``; many marks make one call.

    ``write`` reads the newest state itself. An ApiError with ``retryable`` is tried again.
    """

    def __init__(self, write: Callable[[Key], Awaitable[None]], *, workers: int = 4) -> None:
        self._write = write
        self._workers = workers
        self._dirty: dict[Key, None] = {}
        self._busy: set[Key] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start writing."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]

    async def stop(self, grace_s: float = 1.0) -> None:
        """Write what is marked, within the grace, and end."""
        if self._tasks:
            try:
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
            except TimeoutError:
                left = ", ".join(map(str, {*self._dirty, *self._busy}))
                logger.warning("not written before the end: the status of %s", left)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def mark(self, key: Key) -> None:
        """The state of ``key`` has changed. Returns at once."""
        self._dirty[key] = None
        self._idle.clear()
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(_COALESCE_S)  # a start changes state several times in a row
            key = next((key for key in self._dirty if key not in self._busy), None)
            if key is None:
                self._wake.clear()
                continue
            del self._dirty[key]
            self._busy.add(key)
            try:
                await self._until_written(key)
            finally:
                self._busy.discard(key)
                if self._dirty:
                    self._wake.set()
                elif not self._busy:
                    self._idle.set()

    async def _until_written(self, key: Key) -> None:
        delay, longest = _RETRY_S
        while True:
            try:
                await self._write(key)
            except ApiError as error:
                if not error.retryable:
                    logger.warning("status of pod %s not written: %s", key, error)
                    return
            except Exception:
                logger.exception("status of pod %s not written", key)
                return
            else:
                return
            self._dirty.pop(key, None)
            await asyncio.sleep(delay)
            delay = min(delay * 2, longest)
