"""Calling user functions: plain or async, in the loop's thread or in several."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final

__all__ = ["Calls", "is_stream"]

_END: Final = object()


class Calls:
    """Calls functions in the running loop, or plain ones in `threads` where there are several."""

    def __init__(self, threads: int = 1) -> None:
        self._pool = ThreadPoolExecutor(threads, "user") if threads > 1 else None

    async def __call__(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """The function's result, awaited where it is awaitable."""
        if self._pool is None or inspect.iscoroutinefunction(function):
            result = function(*args, **named)
        else:
            work = partial(copy_context().run, partial(function, *args, **named))
            result = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        return await result if inspect.isawaitable(result) else result

    async def parts(self, result: Any) -> AsyncIterator[Any]:
        """What a generator gives, plain or async; anything else is the only part."""
        if hasattr(result, "__aiter__"):
            async for part in result:
                yield part
        elif inspect.isgenerator(result):
            while (part := await self(next, result, _END)) is not _END:
                yield part
        else:
            yield result

    def close(self) -> None:
        """End the threads, without waiting for what they do."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def is_stream(result: object) -> bool:
    """Whether a result is given part by part."""
    return inspect.isgenerator(result) or hasattr(result, "__aiter__")
