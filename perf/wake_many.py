"""python -m perf.wake_many: many sleeping models, each woken by one request within one second.

Open loop: requests leave at their own times, whether or not earlier ones were answered.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence

from perf.coldstart.waking import ROW, service
from perf.harness import SHORT_WINDOWS, Engine, engine, train_iris
from perf.report import Figure, percentile, publish
from perf.traffic import Outcome, Target, ask, client
from rouse.kube.resources import PODS
from rouse.sdk import AsyncClient

SPREAD_S = 1.0
READY_S = 300.0
_PATIENCE_S = 300.0


async def put_to_sleep(rouse: AsyncClient, names: Sequence[str]) -> None:
    """Apply the services, see each ready once, and wait until no replica is left."""
    for name in names:
        await rouse.apply(service(name))
    for name in names:
        await rouse.wait_ready(name, timeout_s=READY_S)
    async with asyncio.timeout(_PATIENCE_S):
        while (await rouse.kube.list(PODS, "default")).items:
            await asyncio.sleep(0.5)


async def wake(target: Engine, names: Sequence[str], spread_s: float) -> Outcome:
    """One request to each, evenly within ``spread_s`` seconds."""
    outcome = Outcome()
    targets = [Target.v1(target.gateway, name, ROW) for name in names]
    async with client(targets[0], len(targets)) as http, asyncio.TaskGroup() as group:
        for one in targets:
            group.create_task(ask(http, one, outcome))
            await asyncio.sleep(spread_s / len(targets))
    return outcome


async def measure(target: Engine, count: int, spread_s: float) -> Outcome:
    """Put ``count`` services to sleep and wake them."""
    names = [f"wake-{index:03d}" for index in range(count)]
    async with AsyncClient(target.home.kubeconfig, gateway=target.gateway) as rouse:
        await put_to_sleep(rouse, names)
    return await wake(target, names, spread_s)


def figures(count: int, spread_s: float) -> list[Figure]:
    """Wake ``count`` services of an engine of their own; the most common failures are printed."""
    with engine(windows=SHORT_WINDOWS) as up:
        train_iris(up)
        outcome = asyncio.run(measure(up, count, spread_s))
    for failure, times in Counter(outcome.failures).most_common(5):
        print(f"  {times} x {failure}")
    named = f"wake_{count}"
    return [
        Figure(f"{named}_p50_s", percentile(outcome.seconds, 50), "s"),
        Figure(f"{named}_p99_s", percentile(outcome.seconds, 99), "s", 5),
        Figure(f"{named}_failed", outcome.failures.total(), "requests", 0),
    ]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(prog="perf.wake_many", description=__doc__)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--spread", type=float, default=SPREAD_S, metavar="SECONDS")
    given = parser.parse_args()
    publish("wake_many", figures(given.services, given.spread))


if __name__ == "__main__":
    main()
