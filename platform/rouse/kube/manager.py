"""Starts informers and controllers in the right order, and stops them in the reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from rouse.kube.controller import Controller
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer

__all__ = ["Manager"]


class Manager:
    """Runs the parts of a controller process together.

    Controllers start only when every informer has its first list, as a half-filled copy would let
    them take for absent what is merely not read yet.
    """

    def __init__(
        self,
        *,
        informers: Sequence[Informer],
        controllers: Sequence[Controller],
        recorder: EventRecorder | None = None,
        sync_timeout: float = 60.0,
        grace_s: float = 5.0,
    ) -> None:
        self.informers = tuple(informers)
        self.controllers = tuple(controllers)
        self._recorder = recorder
        self._sync_timeout = sync_timeout
        self._grace_s = grace_s
        self._started = False

    @property
    def ready(self) -> bool:
        """Whether everything runs on a complete copy of the API's objects."""
        return self._started

    @property
    def unsynced(self) -> list[str]:
        """The resources of which the first list is not in."""
        return [str(one.resource) for one in self.informers if not one.is_synced]

    @property
    def events_dropped(self) -> int:
        """How many events were not written."""
        return self._recorder.dropped if self._recorder else 0

    async def start(self) -> None:
        """Start all parts; `UnavailableError` if the informers cannot list in time."""
        try:
            for informer in self.informers:
                await informer.start()
            await asyncio.gather(*(one.synced(self._sync_timeout) for one in self.informers))
            if self._recorder is not None:
                await self._recorder.start()
            for controller in self.controllers:
                await controller.start()
        except BaseException:
            await self.stop()
            raise
        self._started = True

    async def stop(self) -> None:
        """Stop all parts: running reconciles may end within the grace, events are written."""
        self._started = False
        await asyncio.gather(*(one.stop(self._grace_s) for one in self.controllers))
        if self._recorder is not None:
            await self._recorder.stop()
        await asyncio.gather(*(one.stop() for one in self.informers))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
