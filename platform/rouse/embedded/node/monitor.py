"""When to probe a running container, and what follows from the answers.

Kubernetes probes every ``periodSeconds`` from the start; a replica that wakes in 20 ms must not
wait 10 s for it. So the first probes come at once when the replica reports readiness, and 5, 10,
20 ... ms apart otherwise; after the first success the period holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from rouse.embedded.node.probes import Probe, ProbeResult, TcpSocket

__all__ = ["Monitor", "Probes"]

_FIRST_S: Final = 0.005
_FIRST_REPORTING_S: Final = 0.25
_UNREADY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Probes:
    """A container's probes; None is not asked. ``reports``: it announces readiness itself."""

    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    reports: bool = False


class Monitor:
    """Watches one attempt at running a container until cancelled.

    ``reported`` is set when the replica says that it is ready. ``on_ready`` gets every change of
    readiness, ``on_unhealthy`` the reason to restart (once).
    """

    def __init__(
        self,
        probes: Probes,
        *,
        reported: asyncio.Event,
        ask: Callable[[Probe], Awaitable[ProbeResult]],
        on_started: Callable[[], None],
        on_ready: Callable[[bool, str], None],
        on_unhealthy: Callable[[str], None],
    ) -> None:
        self._probes = probes
        self._reported = reported
        self._ask = ask
        self._on_started = on_started
        self._on_ready = on_ready
        self._on_unhealthy = on_unhealthy

    async def run(self) -> None:
        """Startup probe, then readiness and liveness side by side."""
        if not await self._startup():
            return
        self._on_started()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._readiness())
            group.create_task(self._liveness())

    async def _startup(self) -> bool:
        probe = self._probes.startup
        if probe is None:
            return True
        allowed = probe.initial_delay + probe.period * probe.failure_threshold
        failure = await self._first_success(probe, time.monotonic() + allowed)
        if failure is not None:
            self._on_unhealthy(f"Startup probe failed: {failure}")
        return failure is None

    async def _readiness(self) -> None:
        probe = self._probes.readiness
        if probe is None:
            self._on_ready(True, "")
            return
        await self._first_success(probe, None)
        self._on_ready(True, "")
        ready, good, bad = True, 0, 0
        while True:
            await asyncio.sleep(probe.period if ready else min(probe.period, _UNREADY_S))
            result = await self._ask(probe)
            good, bad = (good + 1, 0) if result.ok else (0, bad + 1)
            if ready and bad >= probe.failure_threshold:
                ready = False
                self._on_ready(False, f"Readiness probe failed: {result.message}")
            elif not ready and good >= probe.success_threshold:
                ready = True
                self._on_ready(True, "")

    async def _liveness(self) -> None:
        probe = self._probes.liveness
        if probe is None:
            return
        await asyncio.sleep(probe.initial_delay)
        bad = 0
        while bad < probe.failure_threshold:
            await asyncio.sleep(probe.period)
            result = await self._ask(probe)
            bad = 0 if result.ok else bad + 1
        self._on_unhealthy(f"Liveness probe failed: {result.message}")

    async def _first_success(self, probe: Probe, deadline: float | None) -> str | None:
        """Probe quickly until it succeeds (None) or the deadline is over (the last failure)."""
        if self._probes.reports and isinstance(probe.action, TcpSocket):
            # its socket listens from before its start: connecting proves nothing, its report does
            await self._reported.wait()
        delay = _FIRST_REPORTING_S if self._probes.reports else _FIRST_S
        wait, heard, good = max(probe.initial_delay, delay), False, 0
        while True:
            if heard:
                await asyncio.sleep(wait)
            elif await self._hears_within(wait):
                heard, delay = True, _FIRST_S
            result = await self._ask(probe)
            good = good + 1 if result.ok else 0
            if good >= probe.success_threshold:
                return None
            if deadline is not None and time.monotonic() >= deadline:
                return result.message
            wait, delay = delay, min(delay * 2, probe.period)

    async def _hears_within(self, seconds: float) -> bool:
        """Wait for the report of readiness; False when it does not come in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._reported.wait()
        except TimeoutError:
            return False
        return True
