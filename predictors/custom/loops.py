"""The event loop that user code runs in, beside the server's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, TypeVar

import uvloop

__all__ = ["UserLoop"]

_T = TypeVar("_T")
_END: Final = object()
_STOP_SECONDS: Final = 5.0


class UserLoop:
    """A loop in a daemon thread: what `load` binds to it is there when requests come.

    User code may block it, as it may block the servers it was written for: its own requests wait,
    everything else is answered.
    """

    def __init__(self, name: str) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"user-{name}", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do `work` there and wait, from a thread without a loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def ask(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do `work` there; cancelled here, it is cancelled there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def iterate(self, parts: AsyncIterator[_T]) -> AsyncIterator[_T]:
        """What `parts` gives there, one at a time: it is not asked ahead."""
        try:
            while True:
                part = await self.ask(_next(parts))
                if part is _END:
                    return
                yield part
        finally:
            await self.ask(_closed(parts))

    def stop(self) -> None:
        """End the thread, unless user code holds it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


async def _next(parts: AsyncIterator[Any]) -> Any:
    return await anext(parts, _END)


async def _closed(parts: AsyncIterator[Any]) -> None:
    close = getattr(parts, "aclose", None)
    if close is not None:
        await close()
