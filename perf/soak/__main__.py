"""python -m perf.soak: an engine for a long time, with everything at once.

A service whose canary never rests, services that fall asleep between requests, services that come
and go, and one whose replicas are killed. At the end no request may have failed but those that went
to a killed replica before the gateway knew, and when all services are gone nothing may be left of
them: no process and no object. Memory is compared between two idle engines: after a first part of
the time, in which caches fill, and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from perf.disagree import find_disagreement
from perf.harness import SHORT_WINDOWS, Engine, engine, train_iris
from perf.report import Figure, percentile, publish
from perf.soak.load import Tally, soak
from rouse.embedded.engine.report import report
from rouse.errors import NotFoundError, RouseError
from rouse.kube.resources import EVENTS, RESOURCES
from rouse.sdk import AsyncClient

_FIRST_PART: Final = 0.25
_SETTLE_S: Final = 15.0
_OWN_PARTS: Final = frozenset({"engine", "api", "controllers", "gateway"})


def idle_memory(target: Engine) -> dict[str, float]:
    """Megabytes (PSS) of the engine's own parts once it has settled; replicas must be gone."""
    time.sleep(_SETTLE_S)
    told = report(target.home)
    if told is None:
        raise RouseError("the engine is down")
    return {part.name: part.megabytes for part in told.parts if part.name in _OWN_PARTS}


def processes(target: Engine) -> Counter[str]:
    """How many processes of each name the engine has."""
    told = report(target.home)
    return Counter(part.name for part in told.parts) if told else Counter()


async def objects(target: Engine) -> Counter[str]:
    """How many objects of each kind the users' namespace has; Events go by their age."""
    found = Counter[str]()
    async with AsyncClient(target.home.kubeconfig, gateway=target.gateway) as rouse:
        for resource in RESOURCES.values():
            if resource.namespaced and resource != EVENTS:
                with suppress(NotFoundError):  # a kind of an operator that the engine has not
                    found[resource.kind] += len((await rouse.kube.list(resource, "default")).items)
    return found


def figures(minutes: float) -> list[Figure]:
    """Soak an engine of its own; what failed or stayed is printed."""
    with engine(windows=SHORT_WINDOWS) as target:
        train_iris(target)
        row = find_disagreement(target.home.volumes / "default" / "models").row
        there = asyncio.run(objects(target))
        parts = []
        for share in (_FIRST_PART, 1 - _FIRST_PART):
            began = time.monotonic()
            parts.append(asyncio.run(soak(target, minutes * 60 * share, row)))
            hours = (time.monotonic() - began) / 3600
            memory = idle_memory(target)
            if len(parts) == 1:
                before, known = memory, processes(target)
        left = asyncio.run(objects(target)) - there
        over = Counter({name: 1 for name in processes(target) - known if name in _OWN_PARTS})
        over += Counter(
            {name: count for name, count in processes(target).items() if name.startswith("replica")}
        )
    growth = {name: (memory[name] - before[name]) / hours for name in sorted(memory)}
    for name, count in (left + over).items():
        print(f"  left: {count} x {name}")
    told = "  ".join(f"{name} {value:+.1f}" for name, value in growth.items())
    print(f"  growth, MB an hour: {told}")
    return [*_requests(parts), *_rest(parts, left, over, sum(growth.values()))]


def _requests(parts: Sequence[Tally]) -> list[Figure]:
    steady, sleepy, killed = (Counter[str](), Counter[str](), Counter[str]())
    for part in parts:
        steady += part.steady.failures
        sleepy += part.sleepy.failures
        killed += part.killed.failures
    for failure, times in (steady + sleepy + killed).most_common(5):
        print(f"  {times} x {failure}")
    waits = [second for part in parts for second in part.sleepy.seconds]
    total = sum(part.steady.total + part.sleepy.total + part.killed.total for part in parts)
    return [
        Figure("soak_requests", total, "requests"),
        Figure("soak_steady_failed", steady.total(), "requests", 0),
        Figure("soak_wakes", len(waits), "requests"),
        Figure("soak_wakes_failed", sleepy.total(), "requests", 0),
        Figure("soak_wake_p99_ms", percentile(waits, 99) * 1e3, "ms"),
        Figure("soak_kills", sum(part.kills for part in parts), "replicas"),
        Figure("soak_kills_lost", sum(part.lost for part in parts), "requests"),
        Figure("soak_kills_failed_later", killed.total(), "requests", 0),
    ]


def _rest(
    parts: Sequence[Tally], left: Counter[str], over: Counter[str], growth: float
) -> list[Figure]:
    churn = sum((part.churn for part in parts), Counter[str]())
    for failure, times in churn.most_common(5):
        print(f"  {times} x {failure}, of a service that came and went")
    return [
        Figure("soak_shifts", sum(part.shifts for part in parts), "changes"),
        Figure("soak_churned", sum(part.churned for part in parts), "services"),
        Figure("soak_churn_failed", churn.total(), "requests", 0),
        Figure("soak_objects_left", left.total(), "objects", 0),
        Figure("soak_processes_left", over.total(), "processes", 0),
        Figure("soak_growth_mb_an_hour", growth, "MB/h"),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m perf.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    found = figures(parser.parse_args(argv).minutes)
    publish("soak", found)
    return int(any(figure.missed for figure in found))


if __name__ == "__main__":
    sys.exit(main())
