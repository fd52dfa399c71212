"""The life of a router: listen, answer, drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import uvloop

from predictors.graph.application import Application
from predictors.graph.propagation import Propagation
from predictors.graph.spec import Graph
from predictors.graph.upstream import Client, ClientSettings
from predictors.serving import tracing
from predictors.serving.errors import StartupError
from predictors.serving.idle import Idle
from predictors.serving.listener import (
    ABORT_SECONDS,
    LAME_DUCK_SECONDS,
    Listener,
    listening_socket,
)
from predictors.serving.metrics.process import started_at
from predictors.serving.notify import Notifier
from predictors.serving.observers import observers_of
from predictors.serving.settings import Limits

__all__ = ["Settings", "serve"]

_log = logging.getLogger(__name__)

_SWEEP_S: Final = 1.0
_OBSERVERS_S: Final = 10.0


@dataclass(frozen=True)
class Settings:
    """How a graph is served; times are in seconds.

    `listen_fd` and `notify_socket` come from the node: a listening socket to use instead of binding
    `http_port`, and where to tell that the router is ready.
    """

    http_port: int = 8080
    listen_fd: str | None = None
    notify_socket: str | None = None
    drain_seconds: float = 30.0
    access_log: bool = False
    propagated: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    client: ClientSettings = field(default_factory=ClientSettings)


def serve(settings: Settings, graph: Graph) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit code.

    0 after a complete drain, 1 when the port could not be had or requests were cut off.
    """
    notifier = Notifier(settings.notify_socket)
    try:
        sock = listening_socket(settings.http_port, settings.listen_fd)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Server(settings, graph, notifier).run(sock))
    except StartupError as error:
        message = f"Cannot serve graph {graph.name}: {error}"
        _log.error(message)
        notifier.failed(message)
        return 1


class _Server:
    def __init__(self, settings: Settings, graph: Graph, notifier: Notifier) -> None:
        self._settings = settings
        self._graph = graph
        self._notifier = notifier
        self._client = Client(settings.client)
        self._application = Application(
            graph, self._client, settings.limits, Propagation(settings.propagated)
        )
        self._application.watching.observers = observers_of(
            os.environ, access_log=settings.access_log
        )
        self._application.on_answer = notifier.answered

    async def run(self, sock: socket.socket) -> int:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        listener = Listener(self._application, sock)
        listener.start()
        sweeping = asyncio.create_task(self._sweep())
        tracing_begun = asyncio.create_task(self._trace())
        begun = float(os.environ.get("ROUSE_BEGUN_AT") or started_at())
        self._application.watching.metrics.start_seconds = max(0.0, time.time() - begun)
        self._notifier.ready()
        _log.info("graph %s is ready, nodes: %s", self._graph.name, ", ".join(self._graph.nodes))
        try:
            await stopped.wait()
            return await self._drain(listener)
        finally:
            sweeping.cancel()
            await self._application.close()
            self._client.close()
            await tracing_begun
            observers = self._application.watching.observers
            if observers is not None:
                await asyncio.to_thread(observers.close, _OBSERVERS_S)

    async def _sweep(self) -> None:
        """What is done once a second, as long as the router runs."""
        idle = Idle()
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._application.sweep()
            idle.sweep()

    async def _trace(self) -> None:
        """Trace from now on; the import takes 0.2 s, in which requests are answered already."""
        if not tracing.wanted(os.environ):
            return
        ready_ns = time.time_ns()
        tracer = await asyncio.to_thread(tracing.start, os.environ, self._graph.name)
        if tracer is None:
            return
        tracer.started({}, ready_ns)
        self._application.watching.trace(tracer)

    async def _drain(self, listener: Listener) -> int:
        application = self._application
        _log.info("stopping: %d requests in flight", application.watching.metrics.in_flight)
        application.draining = True
        await asyncio.sleep(LAME_DUCK_SECONDS)
        if await listener.drain(self._settings.drain_seconds):
            return 0
        _log.error("%d requests were cut off", application.watching.metrics.in_flight)
        application.cut_off()
        await listener.drain(ABORT_SECONDS)
        return 1
