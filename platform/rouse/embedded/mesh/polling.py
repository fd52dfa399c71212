"""Waiting for what sends no event: another process that comes up or finishes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

__all__ = ["poll"]

_EVERY_S: Final = 0.005


async def poll(check: Callable[[], Awaitable[bool]], every: float = _EVERY_S) -> None:
    """Ask every so many seconds until the answer is yes; the caller sets the deadline."""
    while not await check():  # noqa: ASYNC110  the other side is a process, it sets no Event
        await asyncio.sleep(every)
