"""Requests in numbers: how often which model answered, and that none failed meanwhile."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from rouse.kube.objects import Object
from tests.conformance.cluster import Cluster

__all__ = ["Steady", "bounds", "labels", "steadily"]

_CONCURRENCY = 4


@dataclass
class Steady:
    """What requests sent all the time were answered."""

    answers: int = 0
    failures: Counter[str] = field(default_factory=Counter)


async def labels(cluster: Cluster, isvc: Object, count: int) -> Counter[int]:
    """How often each label came for the flower in that many requests, all of which succeed."""
    found: Counter[int] = Counter()
    left = iter(range(count))

    async def some() -> None:
        for _ in left:
            found[await cluster.label(isvc)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONCURRENCY):
            group.create_task(some())
    return found


def bounds(count: int, percent: int) -> tuple[float, float]:
    """Four standard deviations around the wanted share: missed by chance once in 16,000 runs."""
    share = percent / 100
    mean, deviation = count * share, math.sqrt(count * share * (1 - share))
    return mean - 4 * deviation, mean + 4 * deviation


@asynccontextmanager
async def steadily(
    cluster: Cluster, isvc: Object, *, pause_s: float = 0.02
) -> AsyncIterator[Steady]:
    """Ask all the time while the block runs; what failed is in the result."""
    told, stopped = Steady(), asyncio.Event()

    async def ask() -> None:
        while not stopped.is_set():
            try:
                answer = await cluster.predict(isvc)
            except httpx.HTTPError as error:
                told.failures[repr(error)] += 1
            else:
                told.answers += answer.status_code == 200
                if answer.status_code != 200:
                    told.failures[f"{answer.status_code} {answer.text[:200]}"] += 1
            await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        try:
            yield told
        finally:
            stopped.set()
