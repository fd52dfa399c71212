"""One attempt at running a container: from its command line to its exit code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rouse.embedded.node.command import Invocation, make_invocation
from rouse.embedded.node.gate import Pass
from rouse.embedded.node.images import LocalCommand
from rouse.embedded.node.logs import ContainerLog
from rouse.embedded.node.monitor import Monitor, Probes
from rouse.embedded.node.notify import Answered, Failed, Phase, Ready, Report
from rouse.embedded.node.podports import PodPorts
from rouse.embedded.node.ports import serving_container
from rouse.embedded.node.probes import Probe, ProbeResult, asks_known_port, check, parse_probe
from rouse.embedded.node.services import NodeServices
from rouse.embedded.node.sources import Sources
from rouse.embedded.node.start import start_container
from rouse.embedded.node.volumes import mounts_of
from rouse.embedded.processes import OwnedProcess

__all__ = ["Attempt", "PodParts"]

_MESSAGE_CHARS: Final = 2048
_DEFAULT_GRACE_S: Final = 30
_MEASURED: Final = frozenset({"process", "ready", "answer"})
"""Phases of the node's own clock, which no replica reports."""


@dataclass(frozen=True)
class PodParts:
    """What the containers of one pod share."""

    pod: dict[str, Any]
    services: NodeServices
    get_sources: Callable[[], Awaitable[Sources]]
    """Reads the ConfigMaps and Secrets as they are now; raises PodSetupError."""
    volumes: Mapping[str, Path]
    commands: Mapping[str, LocalCommand]
    ports: PodPorts
    event: Callable[[str, str, str], None]
    """Emits an Event about the pod: (type, reason, message)."""


class Attempt:
    """Runs a container once. ``began`` is time.monotonic() of what the timings count from.

    ``on_change`` is called when it has started, and when ``started`` or ``ready`` change.
    """

    def __init__(
        self,
        parts: PodParts,
        container: dict[str, Any],
        *,
        number: int,
        began: float,
        init: bool,
        on_change: Callable[[], None],
    ) -> None:
        metadata = parts.pod["metadata"]
        self._parts = parts
        self._container = container
        self._began = began
        self._init = init
        self._on_change = on_change
        self._place = (metadata["namespace"], metadata["name"])
        self._id = "/".join([*self._place, container["name"], str(number)])
        self._reported = asyncio.Event()
        self._timings: dict[str, float] = {}
        self._turn: Pass | None = None
        self._killer: asyncio.Task[None] | None = None
        self.log = ContainerLog(
            parts.services.paths.container_log(*self._place, container["name"], number)
        )
        self.process: OwnedProcess | None = None
        self.started = False
        self.ready = False
        self.failure = ""
        """Why it was ended or gave up, when more is known than its exit code."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by phase: process, what the replica reported, ready; once ready, all of it.

        Once it has answered, ``answer`` too: from its being ready to the end of the first answer.
        """
        return MappingProxyType(self._timings)

    @property
    def message(self) -> str:
        """Why it ended: its own word, or the last lines of its log."""
        return self.failure or "\n".join(self.log.tail)[-_MESSAGE_CHARS:]

    async def run(self) -> int:
        """Start it and wait for its end: the exit code, or minus a signal.

        Raises PodSetupError when it cannot be started. Cancelled, it kills the process.
        """
        try:
            invocation = self._invocation(await self._parts.get_sources())
            await self._take_turn()
            self.process = await self._start(invocation)
            return await self._supervise(self.process, invocation)
        finally:
            self._end_turn()
            if self.process is not None and self.process.alive:
                await self.process.stop(0)
            self.log.close()

    async def _take_turn(self) -> None:
        """Wait for the gate; that is no phase of the start, but counts as queued."""
        began = time.monotonic()
        self._turn = await self._parts.services.gate.enter()
        self._began += time.monotonic() - began

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.leave()

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, grace, SIGKILL; nothing when it is not running."""
        self.ready = False
        if self.process is not None:
            await self.process.stop(grace_s)

    def _invocation(self, sources: Sources) -> Invocation:
        services, container = self._parts.services, self._container
        scratch = services.paths.pod(*self._place) / container["name"]
        scratch.mkdir(parents=True, exist_ok=True)
        return make_invocation(
            self._parts.pod,
            container,
            local=self._parts.commands[container["name"]],
            mounts=mounts_of(container, self._parts.volumes, scratch),
            ports=self._parts.ports.actual,
            sources=sources,
            base=services.base,
            cwd=str(scratch),
        )

    async def _start(self, invocation: Invocation) -> OwnedProcess:
        listener = None if self._init else self._parts.ports.listener(self._container)
        try:
            start = await start_container(
                invocation, self._parts.services, id_=self._id, log=self.log, listener=listener
            )
        finally:
            # the replica alone holds it now: when it dies, connections are refused, not stuck
            if listener is not None:
                listener.close()
        self._timings["process"] = time.monotonic() - self._began
        if start.note:
            self._parts.event("Warning", "WarmStartFailed", start.note)
        return start.process

    async def _supervise(self, process: OwnedProcess, invocation: Invocation) -> int:
        notify = self._parts.services.notify
        self._on_change()
        notify.register(process.pid, self._on_report)
        monitor = asyncio.create_task(self._monitor(invocation).run())
        try:
            return await process.wait()
        finally:
            monitor.cancel()
            # At once: a cancellation during the wait below must not leave it registered.
            notify.receive()  # its last words may still be in the socket
            notify.unregister(process.pid)
            await asyncio.gather(monitor, return_exceptions=True)

    def _monitor(self, invocation: Invocation) -> Monitor:
        async def ask(probe: Probe) -> ProbeResult:
            return await check(probe, env=invocation.env, cwd=invocation.cwd)

        return Monitor(
            self._probes(invocation),
            reported=self._reported,
            ask=ask,
            on_started=self._on_started,
            on_ready=self._on_ready,
            on_unhealthy=self._on_unhealthy,
        )

    def _probes(self, invocation: Invocation) -> Probes:
        container, ports = self._container, self._parts.ports.actual
        if self._init:
            return Probes()
        declared = [int(port["containerPort"]) for port in container.get("ports") or []]
        serves = container["name"] == serving_container(self._parts.pod)
        first = declared[0] if declared else None

        def probe(name: str, *, always: bool = False, own_port: bool = False) -> Probe | None:
            given = container.get(name)
            if own_port and first is not None and not asks_known_port(given, container, ports):
                # What a runtime asks at its HTTP port, of a pod that serves gRPC alone.
                given = {**(given or {}), "httpGet": None, "tcpSocket": {"port": first}}
            default = first if given is not None or always else None
            return parse_probe(given, container=container, ports=ports, default_port=default)

        return Probes(
            startup=probe("startupProbe"),
            readiness=probe("readinessProbe", always=serves, own_port=serves),
            liveness=probe("livenessProbe"),
            reports=invocation.listen,
        )

    def _on_report(self, report: Report) -> None:
        match report:
            case Phase(_, name, seconds):
                if name not in _MEASURED and len(self._timings) < 16:
                    self._timings[name] = seconds
            case Ready():
                self._reported.set()
            case Answered():
                self._on_answered()
            case Failed(_, error):
                self.failure = error

    def _on_answered(self) -> None:
        if "ready" in self._timings and "answer" not in self._timings:
            spent = sum(self._timings.values())
            self._timings["answer"] = max(0.0, time.monotonic() - self._began - spent)
            self._on_change()

    def _on_started(self) -> None:
        self.started = True
        self._on_change()

    def _on_ready(self, ready: bool, message: str) -> None:
        if ready and "ready" not in self._timings:
            spent = sum(self._timings.values())
            self._timings["ready"] = max(0.0, time.monotonic() - self._began - spent)
        if message:
            self._parts.event("Warning", "Unhealthy", message)
        if ready:
            self._end_turn()
        self.ready = ready
        self._on_change()

    def _on_unhealthy(self, message: str) -> None:
        name = self._container["name"]
        self.failure = message
        self._parts.event("Warning", "Unhealthy", message)
        self._parts.event("Normal", "Killing", f"Container {name} is unhealthy and is restarted")
        grace = self._parts.pod["spec"].get("terminationGracePeriodSeconds")
        self._killer = asyncio.create_task(
            self.stop(_DEFAULT_GRACE_S if grace is None else float(grace))
        )
