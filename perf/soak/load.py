"""What happens to an engine during a soak: four loops that go on until a deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final

from perf.coldstart.waking import ROW, service
from perf.harness import Engine
from perf.traffic import Outcome, Target, ask, background, client
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from rouse.sdk import AsyncClient

__all__ = ["SLEEPERS", "Tally", "soak"]

SLEEPERS: Final = 8
_PERCENTAGES: Final = (0, 20, 50, 80, 100, None)
_READY_S: Final = 60.0
_PAUSE_S: Final = 2.0
_KILL_EVERY_S: Final = 15.0
_LOST_S: Final = 1.0


@dataclass
class Tally:
    """What came of it. Failures are told as they were, counted."""

    steady: Outcome = field(default_factory=Outcome)
    """Requests to a service whose canary never rests."""
    sleepy: Outcome = field(default_factory=Outcome)
    """Requests to services that fall asleep between them."""
    killed: Outcome = field(default_factory=Outcome)
    """Requests to a service whose replicas are killed, but those lost with one: they began before
    it was gone from the endpoints, at most `_LOST_S` after its end."""
    lost: int = 0
    shifts: int = 0
    churned: int = 0
    churn: Counter[str] = field(default_factory=Counter)
    """Failures of services that came, answered and went."""
    kills: int = 0


async def soak(target: Engine, seconds: float, row: list[float]) -> Tally:
    """Keep the engine busy for so many seconds, and remove every service at the end."""
    tally = Tally()
    deadline = time.monotonic() + seconds
    async with AsyncClient(target.home.kubeconfig, gateway=target.gateway) as rouse:
        try:
            async with asyncio.TaskGroup() as group:
                for loop in (_steady, _sleepy, _churn, _killed):
                    group.create_task(loop(target, rouse, tally, deadline, row))
        finally:
            for each in await rouse.services():
                await rouse.delete(each)
        await _until(lambda: _no_pods(rouse))
    return tally


async def _steady(
    target: Engine, rouse: AsyncClient, tally: Tally, deadline: float, row: list[float]
) -> None:
    """Two clients ask without a pause while the canary's share moves, and is promoted."""
    await rouse.apply(_kept("steady", "iris"))
    await rouse.wait_ready("steady", timeout_s=_READY_S)
    where = Target.v1(target.gateway, "steady", [row])
    async with background(where, limit=10**9) as tally.steady:
        for model in cycle(("iris-v2", "iris")):
            for percent in _PERCENTAGES:
                await rouse.apply(_kept("steady", model, percent))
                await rouse.wait_ready("steady", timeout_s=_READY_S)
                tally.shifts += 1
                await asyncio.sleep(_PAUSE_S)
                if time.monotonic() > deadline:
                    return


async def _sleepy(
    target: Engine, rouse: AsyncClient, tally: Tally, deadline: float, row: list[float]
) -> None:
    """A few services in turn, each long asleep when its turn comes."""
    names = [f"sleepy-{number}" for number in range(SLEEPERS)]
    for name in names:
        await rouse.apply(service(name))
        await rouse.wait_ready(name, timeout_s=_READY_S)
    targets = [Target.v1(target.gateway, name, ROW) for name in names]
    async with client(targets[0], 1) as http:
        for one in cycle(targets):
            await ask(http, one, tally.sleepy)
            await asyncio.sleep(_PAUSE_S)
            if time.monotonic() > deadline:
                return


async def _churn(
    target: Engine, rouse: AsyncClient, tally: Tally, deadline: float, row: list[float]
) -> None:
    """A service comes, answers once, and goes, again and again, under new names."""
    while time.monotonic() < deadline:
        name = f"churn-{tally.churned}"
        wanted, outcome = service(name), Outcome()
        where = Target.v1(target.gateway, name, ROW)
        await rouse.apply(wanted)
        await rouse.wait_ready(name, timeout_s=_READY_S)
        async with client(where, 1) as http:
            await ask(http, where, outcome)
        await rouse.delete(wanted)
        tally.churn += outcome.failures
        tally.churned += 1


async def _killed(
    target: Engine, rouse: AsyncClient, tally: Tally, deadline: float, row: list[float]
) -> None:
    """One of two replicas is killed now and then, and a client asks all the while."""
    await rouse.apply(_kept("killed", "iris", replicas=2))
    await rouse.wait_ready("killed", timeout_s=_READY_S)
    where = Target.v1(target.gateway, "killed", ROW)
    next_kill, last_kill = time.monotonic() + _KILL_EVERY_S, -_LOST_S
    async with client(where, 1) as http:
        while (now := time.monotonic()) < deadline:
            asked = asyncio.create_task(ask(http, where, outcome := Outcome()))
            if now > next_kill:
                pid = await _replica_of(rouse, "killed")
                next_kill = now + _KILL_EVERY_S
                if pid is not None:
                    with suppress(ProcessLookupError):  # it was replaced meanwhile
                        os.kill(pid, signal.SIGKILL)
                        last_kill = time.monotonic()
                        tally.kills += 1
            await asked
            if outcome.failures and now - last_kill < _LOST_S:
                tally.lost += 1
            else:
                tally.killed.answers += outcome.answers
                tally.killed.failures += outcome.failures


async def _replica_of(rouse: AsyncClient, name: str) -> int | None:
    """The process of a ready replica of the service; None while there is none."""
    for pod in (await rouse.kube.list(PODS, "default")).items:
        if pod["metadata"]["name"].startswith(f"{name}-"):
            for container in pod.get("status", {}).get("containerStatuses", ()):
                if container["ready"]:
                    return int(container["containerID"].removeprefix("process://"))
    return None


def _kept(name: str, model: str, percent: int | None = None, *, replicas: int = 1) -> Object:
    """A service with replicas that never sleep."""
    predictor: Object = {
        "minReplicas": replicas,
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"pvc://models/{model}"},
    }
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    return {**service(name), "spec": {"predictor": predictor}}


async def _no_pods(rouse: AsyncClient) -> bool:
    return not (await rouse.kube.list(PODS, "default")).items


async def _until(done: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_READY_S):
        while not await done():
            await asyncio.sleep(0.5)
