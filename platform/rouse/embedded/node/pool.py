"""The warm parents of the node: one per command, started early, restarted when they die."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping
from typing import Final

from rouse.embedded.node.command import base_environment
from rouse.embedded.node.errors import WarmError
from rouse.embedded.node.orphans import MARK
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.restarts import RestartBackoff
from rouse.embedded.node.warm import ForkedProcess, SpawnRequest, WarmParent
from rouse.embedded.processes import StartError

__all__ = ["WarmPool"]

START_S: Final = 120.0
"""A parent that has not imported its framework by then is started anew."""
SPAWN_S: Final = 5.0
_STOP_S: Final = 2.0


class WarmPool:
    """Keeps warm parents. ``base`` is the environment they start with; times are in seconds."""

    def __init__(
        self,
        paths: NodePaths,
        *,
        base: Mapping[str, str] | None = None,
        start_s: float = START_S,
        spawn_s: float = SPAWN_S,
    ) -> None:
        self._paths = paths
        inherited = base_environment(os.environ) if base is None else base
        self._base = {**inherited, MARK: str(paths.home)}
        self._start_s = start_s
        self._spawn_s = spawn_s
        self._parents: dict[tuple[str, ...], WarmParent] = {}
        self._keepers: dict[tuple[str, ...], asyncio.Task[None]] = {}

    def ensure(self, command: tuple[str, ...]) -> None:
        """Make sure that a parent for ``command`` runs or starts. Returns at once."""
        if command not in self._keepers:
            self._start(command)
            self._keepers[command] = asyncio.create_task(self._keep(command))

    def parent(self, command: tuple[str, ...]) -> WarmParent | None:
        """The parent of a command, if one runs now."""
        return self._parents.get(command)

    def parents(self) -> tuple[WarmParent, ...]:
        """The parents that run now."""
        return tuple(self._parents.values())

    async def spawn(self, command: tuple[str, ...], request: SpawnRequest) -> ForkedProcess:
        """Fork a replica of ``command``, waiting for an import under way.

        Raises WarmError when there is no parent to do it; the caller starts the command itself.
        """
        self.ensure(command)
        parent = self._parents.get(command)
        if parent is None:
            raise WarmError(f"no warm parent for {' '.join(command)} now; it is being restarted")
        await parent.ready(self._start_s)
        return await parent.spawn(request, self._spawn_s)

    async def lend(self, request: SpawnRequest) -> ForkedProcess | None:
        """Fork a process of the request's module from a parent that is there for predictors.

        None where none is ready now, as for this none is started, nor waited for; and where the
        request is too large. Raises WarmError.
        """
        if not request.fits:
            return None
        parent = next((one for one in self._parents.values() if one.lends), None)
        return None if parent is None else await parent.spawn(request, self._spawn_s)

    async def stop(self) -> None:
        """End every parent and replica."""
        keepers, self._keepers = list(self._keepers.values()), {}
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        parents, self._parents = list(self._parents.values()), {}
        await asyncio.gather(*(parent.stop(_STOP_S) for parent in parents))

    async def _keep(self, command: tuple[str, ...]) -> None:
        backoff = RestartBackoff()
        while True:
            began = time.monotonic()
            parent = self._parents.get(command)
            if parent is not None:
                await self._until_gone(parent)
                await parent.stop(0)
                del self._parents[command]
            await asyncio.sleep(backoff.next(time.monotonic() - began))
            self._start(command)

    async def _until_gone(self, parent: WarmParent) -> None:
        try:
            await parent.ready(self._start_s)
        except WarmError:
            parent.process.kill()
        await parent.process.wait()

    def _start(self, command: tuple[str, ...]) -> None:
        # short and stable: one log per command, whatever characters it has
        digest = hashlib.sha256("\0".join(command).encode()).hexdigest()[:8]
        log = self._paths.warm_logs / f"{command[-1].rpartition('/')[2]}-{digest}.log"
        try:
            self._parents[command] = WarmParent.start(
                command, base=self._base, cwd=str(self._paths.home), log=log
            )
        except StartError:
            pass  # a pod that needs this command says why in its own status
