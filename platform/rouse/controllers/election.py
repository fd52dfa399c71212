"""Work only while leading; hand the Lease over when told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rouse.errors import EngineError
from rouse.kube.lease import LeaderElector

__all__ = ["LeadershipLostError", "lead"]


class LeadershipLostError(EngineError):
    """Another process may lead by now: this one must end, and start anew as a candidate."""


async def lead(
    elector: LeaderElector, work: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event
) -> None:
    """Wait for the Lease, then ``work(lost)`` until ``stop`` or until the Lease is lost.

    ``work`` must end by itself soon after either event. On return the Lease is free for the next,
    unless it was lost: then `LeadershipLostError` is raised.
    """
    lost = asyncio.Event()

    async def leading() -> None:
        await elector.acquire()
        holding = asyncio.create_task(elector.hold())
        holding.add_done_callback(lambda _: lost.set())
        try:
            await work(lost)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    task = asyncio.create_task(leading())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        if elector.is_leader or task.done():
            # It stops by itself: the reconciles under way end before the Lease is handed over.
            await task
    finally:
        for one in (task, stopping):
            one.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)
        await elector.release()
    if lost.is_set() and not stop.is_set():
        raise LeadershipLostError(f"lease {elector.key} was lost: another process may lead now")
