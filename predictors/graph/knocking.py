"""Services that will be asked soon, knocked at: those that sleep wake together, not in turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from predictors.graph.targets import Target
from predictors.graph.upstream import Client
from predictors.serving.errors import RequestError

__all__ = ["Knocking"]

_log = logging.getLogger(__name__)

_AWAKE_S: Final = 5.0
"""For which a service that was knocked at counts as awake: less than any is kept for."""
_PATIENCE_S: Final = 120.0
"""A service is asked for as long as it starts: one that nobody waits for may go to sleep again."""


class Knocking:
    """Asks services whether their model is ready, at most once in some seconds, and forgets the
    answer. All methods run in one event loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._until: dict[Target, float] = {}
        self._knocks: set[asyncio.Task[None]] = set()

    def at(self, targets: Sequence[Target], headers: bytes) -> None:
        """Knock at each; ``headers`` are further lines, such as a token that opens it."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for target in targets:
            path = target.readiness
            if path is None or now < self._until.get(target, 0.0):
                continue
            self._until[target] = now + _PATIENCE_S
            knock = loop.create_task(self._knock(target, path, headers, now + _PATIENCE_S))
            self._knocks.add(knock)
            knock.add_done_callback(self._knocks.discard)

    async def close(self) -> None:
        """Give up on those that have not answered."""
        for knock in self._knocks:
            knock.cancel()
        await asyncio.gather(*self._knocks, return_exceptions=True)

    async def _knock(self, target: Target, path: str, headers: bytes, deadline: float) -> None:
        try:
            await self._client.get(target, path, headers, deadline=deadline)
        except RequestError as error:
            # Who asks it in earnest is told.
            _log.debug("knocked at %s%s: %s", target.authority, path, error)
        finally:
            self._until[target] = asyncio.get_running_loop().time() + _AWAKE_S
