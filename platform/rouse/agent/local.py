"""The agent within another process: of an engine whose node is the machine itself.

Until a LocalModelNode of that name is there it is one watch, and nothing else is in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from rouse.errors import RouseError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Object
from rouse.kube.resources import RESOURCES

__all__ = ["LocalAgent"]

logger = logging.getLogger(__name__)


class Runs(Protocol):
    """What works until it is cancelled."""

    async def run(self) -> None:
        """Work."""


class LocalAgent:
    """Makes and runs the agent of ``node`` once there is something for it to do."""

    def __init__(self, client: KubeClient, node: str, make: Callable[[], Runs]) -> None:
        self._node = node
        self._make = make
        self._wanted = asyncio.Event()
        self._informer = Informer(
            client,
            RESOURCES["serving.kserve.io/v1alpha1", "LocalModelNode"],
            options=InformerOptions(fields=f"metadata.name={node}", optional=True),
        )
        self._informer.add_handler(self._seen)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look; returns at once."""
        await self._informer.start()
        self._task = asyncio.create_task(self._work(), name=f"node agent of {self._node}")

    async def stop(self) -> None:
        """End the agent; a download goes on at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._informer.stop()

    def _seen(self, type_: EventType, _obj: Object) -> None:
        if type_ is not EventType.DELETED:
            self._wanted.set()

    async def _work(self) -> None:
        await self._wanted.wait()
        await self._informer.stop()
        while True:
            try:
                await self._make().run()
            except (RouseError, OSError) as error:
                logger.warning("the node agent ended: %s; it starts again", error)
                await asyncio.sleep(5.0)
