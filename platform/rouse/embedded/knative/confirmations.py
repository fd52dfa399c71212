"""Waiting for the gateway without keeping a worker: many ask, few questions are put."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from rouse.kube.objects import Key

__all__ = ["Batched", "Confirmations"]

logger = logging.getLogger(__name__)

_PATIENCE_S: Final = 0.25
"""A quiet gateway follows within this; a status that said "not yet" would only flicker."""


class Batched:
    """Answers those who ask at about the same time by asking once.

    Who asks while a question is under way gets the answer to the next one: the present one may
    have been put before what they ask about.
    """

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self._current: asyncio.Task[bool] | None = None
        self._next: asyncio.Task[bool] | None = None

    async def __call__(self) -> bool:
        """The answer to a question put after this call."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._run(self._current))
        return await asyncio.shield(self._next)

    async def _run(self, former: asyncio.Task[bool] | None) -> bool:
        if former is not None:
            await asyncio.wait({former})
        self._current, self._next = self._next, None
        return await self._ask()

    async def stop(self) -> None:
        """Give up what is asked."""
        tasks = [task for task in (self._current, self._next) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Confirmations:
    """Remembers for each key which version was confirmed; ``again(key)`` tells of news."""

    def __init__(self, again: Callable[[Key], None], *, patience_s: float = _PATIENCE_S) -> None:
        self._again = again
        self._patience_s = patience_s
        self._confirmed: dict[Key, str] = {}
        self._asking: dict[Key, tuple[str, asyncio.Task[None]]] = {}

    async def confirmed(self, key: Key, version: str, ask: Callable[[], Awaitable[bool]]) -> bool:
        """Whether ``version`` is confirmed; if not, ``ask`` goes on in the background."""
        if self._confirmed.get(key) == version:
            return True
        asking = self._asking.get(key)
        if asking is None or asking[0] != version:
            self.forget(key)
            task = asyncio.get_running_loop().create_task(
                self._put(key, version, ask), name=f"confirm {key}"
            )
            asking = self._asking[key] = (version, task)
        await asyncio.wait({asking[1]}, timeout=self._patience_s)
        return self._confirmed.get(key) == version

    async def _put(self, key: Key, version: str, ask: Callable[[], Awaitable[bool]]) -> None:
        try:
            if await ask():
                self._confirmed[key] = version
        except Exception:
            logger.exception("%s: the gateway could not be asked", key)
        asking = self._asking.get(key)
        if asking is not None and asking[1] is asyncio.current_task():
            del self._asking[key]
        self._again(key)

    def forget(self, key: Key) -> None:
        """Forget a key, and stop asking for it."""
        self._confirmed.pop(key, None)
        asking = self._asking.pop(key, None)
        if asking is not None:
            asking[1].cancel()

    async def stop(self) -> None:
        """Stop asking."""
        tasks = [task for _, task in self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
