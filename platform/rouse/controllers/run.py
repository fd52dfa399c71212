"""The controller process: connect, lead if asked to, run until told to stop."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from rouse.controllers.inferenceservice import make_manager
from rouse.errors import EngineError, RouseError
from rouse.kube.client import KubeClient
from rouse.kube.config import ClusterConfig, connect, load_kubeconfig
from rouse.kube.lease import LeaderElector, LeaseTimes
from rouse.kube.objects import Key

__all__ = ["LEASE", "LeadershipLostError", "run", "run_controllers"]

logger = logging.getLogger(__name__)

LEASE: Final = Key("rouse-system", "rouse-controller")


class LeadershipLostError(EngineError):
    """Another process may lead by now: this one must end, and start anew as a candidate."""


async def run(
    config: ClusterConfig,
    *,
    leader_election: bool = False,
    lease_times: LeaseTimes | None = None,
    ready: Callable[[], None],
) -> None:
    """Run the controllers until cancelled or SIGTERM or SIGINT comes.

    ``ready`` is called once they run, on complete copies of what they read. Raises `ApiError` when
    the API cannot be read, `LeadershipLostError` when the lease could not be renewed.
    """
    async with connect(config) as client, _stop_signal() as stop:
        if leader_election:
            await _run_as_leader(client, lease_times, ready, stop)
        else:
            await _run_until(client, ready, stop)


def run_controllers(
    kubeconfig: Path | None, *, leader_elect: bool = False, ready_fd: int | None = None
) -> int:
    """Run the controllers in this process; return its exit status.

    ``kubeconfig`` None means the usual places (see `load_kubeconfig`). Once they run, ``ready`` and
    a newline are written to ``ready_fd``, which is then closed.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line per request would be most of the log.
    logging.getLogger("httpx").setLevel(logging.WARNING)

    def ready() -> None:
        logger.info("ready")
        if ready_fd is not None:
            os.write(ready_fd, b"ready\n")
            os.close(ready_fd)

    try:
        config = load_kubeconfig(kubeconfig)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run(config, leader_election=leader_elect, ready=ready))
    except RouseError as error:
        logger.error("%s", error)
        return 1
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


@asynccontextmanager
async def _stop_signal() -> AsyncIterator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _run_until(client: KubeClient, ready: Callable[[], None], *ends: asyncio.Event) -> None:
    """Run the controllers until one of the events is set, during the start too."""
    manager = make_manager(client)
    waiting = [asyncio.create_task(end.wait()) for end in ends]
    starting = asyncio.create_task(manager.start())
    try:
        await asyncio.wait([starting, *waiting], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            ready()
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (starting, *waiting):
            task.cancel()
        await asyncio.gather(starting, *waiting, return_exceptions=True)
        await manager.stop()


async def _run_as_leader(
    client: KubeClient, times: LeaseTimes | None, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
    elector = LeaderElector(client, LEASE, identity, times=times)
    lost = asyncio.Event()

    async def lead() -> None:
        await elector.acquire()
        holding = asyncio.create_task(elector.hold())
        holding.add_done_callback(lambda _: lost.set())
        try:
            await _run_until(client, ready, stop, lost)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    leading = asyncio.create_task(lead())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([leading, stopping], return_when=asyncio.FIRST_COMPLETED)
        if elector.is_leader or leading.done():
            # It stops by itself: the reconciles under way end before the lease is handed over.
            await leading
    finally:
        for task in (leading, stopping):
            task.cancel()
        await asyncio.gather(leading, stopping, return_exceptions=True)
        await elector.release()
    if lost.is_set() and not stop.is_set():
        raise LeadershipLostError(f"lease {LEASE} was lost: another process may lead now")
