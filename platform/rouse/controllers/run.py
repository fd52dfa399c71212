"""The controller process: connect, lead if asked to, run until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from rouse.controllers.election import LeadershipLostError, lead
from rouse.controllers.inferenceservice import make_manager
from rouse.controllers.observability.metrics import Metrics
from rouse.controllers.own_image import own_image
from rouse.daemon.endpoints import Checks, Ports, serve_endpoints
from rouse.daemon.logs import set_up_logs
from rouse.daemon.loop import loop_factory, stop_signal
from rouse.errors import RouseError
from rouse.kube.client import KubeClient
from rouse.kube.config import ClusterConfig, connect, load_kubeconfig
from rouse.kube.lease import LeaderElector, LeaseTimes
from rouse.kube.objects import Key

__all__ = ["LEASE", "LeadershipLostError", "Options", "run", "run_controllers"]

logger = logging.getLogger(__name__)

LEASE: Final = Key("rouse-system", "rouse-controller")


@dataclass(frozen=True, slots=True)
class Options:
    """How a controller process runs. ``namespace`` is where its Lease is."""

    leader_election: bool = False
    namespace: str = LEASE.namespace
    pod: str = ""
    """The pod in that namespace that this process runs in; empty: in none."""
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    ports: Ports = field(default_factory=Ports)

    @property
    def lease(self) -> Key:
        """The Lease that replicas share."""
        return Key(self.namespace, LEASE.name)


async def run(
    config: ClusterConfig,
    options: Options | None = None,
    *,
    ready: Callable[[], None],
) -> None:
    """Run the controllers until cancelled or SIGTERM or SIGINT comes.

    ``ready`` is called once they run, on complete copies of what they read. Raises `ApiError` when
    the API cannot be read, `LeadershipLostError` when the lease could not be renewed, `EngineError`
    when a port is taken.
    """
    options = options or Options()
    metrics = Metrics(asyncio.get_running_loop().time)
    async with connect(config) as client, stop_signal() as stop:
        process = _Process(client.sharing(observe=metrics.called), options, metrics, ready, stop)
        checks = Checks(alive=process.ails, ready=process.lacks)
        openmetrics = partial(metrics.render, openmetrics=True)
        async with serve_endpoints(options.ports, metrics.render, checks, openmetrics=openmetrics):
            await process.run()


def run_controllers(
    kubeconfig: Path | None,
    options: Options | None = None,
    *,
    log_format: str = "text",
    ready_fd: int | None = None,
) -> int:
    """Run the controllers in this process; return its exit status.

    ``kubeconfig`` None means the usual places (see `load_kubeconfig`). Once they run, ``ready`` and
    a newline are written to ``ready_fd``, which is then closed.
    """
    set_up_logs(log_format)

    def ready() -> None:
        logger.info("ready")
        if ready_fd is not None:
            os.write(ready_fd, b"ready\n")
            os.close(ready_fd)

    try:
        config = load_kubeconfig(kubeconfig)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(config, options, ready=ready))
    except RouseError as error:
        logger.error("%s", error)
        return 1
    return 0


class _Process:
    """What runs in a controller process, and how it fares."""

    def __init__(
        self,
        client: KubeClient,
        options: Options,
        metrics: Metrics,
        ready: Callable[[], None],
        stop: asyncio.Event,
    ) -> None:
        self._client = client
        self._options = options
        self._metrics = metrics
        self._ready = ready
        self._stop = stop
        self._elector: LeaderElector | None = None
        metrics.is_leader = lambda: self._elector is None or self._elector.is_leader

    async def run(self) -> None:
        """Run until the stop is asked for, as the leader if there is to be one."""
        if not self._options.leader_election:
            await self._work(self._client, self._stop)
            return
        identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        times = self._options.lease_times
        # The Lease is written by a client of its own: it neither waits in line nor is fenced.
        self._elector = LeaderElector(self._client, self._options.lease, identity, times=times)
        fenced = self._client.sharing(write_for=self._elector.remaining)

        async def work(lost: asyncio.Event) -> None:
            await self._work(fenced, self._stop, lost)

        await lead(self._elector, work, self._stop)

    def ails(self) -> list[str]:
        """Say what only a restart would help against: nothing here, where the loop still turns."""
        return []

    def lacks(self) -> list[str]:
        """Say what is missing to do the work, or to take it over at once."""
        if self._stop.is_set():
            return ["stopping"]
        elector, manager = self._elector, self._metrics.manager
        if elector is not None and not elector.is_leader:
            waits = elector.seconds_since_reached() < self._options.lease_times.duration
            return [] if waits else [f"lease {self._options.lease} cannot be read"]
        if manager is None:
            return ["not started"]
        if manager.unsynced:
            return [f"not listed yet: {', '.join(manager.unsynced)}"]
        return [] if manager.ready else ["not started"]

    async def _work(self, client: KubeClient, *ends: asyncio.Event) -> None:
        """Run the controllers until one of the events is set, during the start too."""
        metrics = self._metrics
        pod = Key(self._options.namespace, self._options.pod) if self._options.pod else None
        manager = make_manager(
            client,
            observe=metrics.reconciled,
            waited=metrics.waited,
            cold_start_observer=metrics.cold_starts,
            told_balloons=metrics.ballooned,
            told_standby=metrics.handed_over,
            told_pre_pull=metrics.pre_pulled,
            told_plan=metrics.planned,
            own_image=await own_image(client, pod),
        )
        metrics.manager = manager
        waiting = [asyncio.create_task(end.wait()) for end in ends]
        starting = asyncio.create_task(manager.start())
        try:
            await asyncio.wait([starting, *waiting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._ready()
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (starting, *waiting):
                task.cancel()
            await asyncio.gather(starting, *waiting, return_exceptions=True)
            await manager.stop()
