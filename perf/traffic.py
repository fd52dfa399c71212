"""Requests through the gateway, counted honestly: every answer, every failure, every latency."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

__all__ = ["Outcome", "Target", "background", "send"]

REQUEST_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Target:
    """Where requests go: the gateway, the Host of a service, a path and a body."""

    gateway: str
    host: str
    path: str
    body: bytes

    @classmethod
    def v1(cls, gateway: str, name: str, instances: Any, namespace: str = "default") -> Target:
        """A V1 prediction of an InferenceService on the embedded engine."""
        return cls(
            gateway,
            f"{name}.{namespace}.localhost",
            f"/v1/models/{name}:predict",
            orjson.dumps({"instances": instances}),
        )


@dataclass
class Outcome:
    """What came of a number of requests."""

    answers: Counter[str] = field(default_factory=Counter)
    """Bodies of the 200s, counted."""
    failures: Counter[str] = field(default_factory=Counter)
    """Everything else, by status and body or by error."""
    seconds: list[float] = field(default_factory=list)
    """Latency of each request, in order of completion."""

    @property
    def total(self) -> int:
        """Requests answered or failed."""
        return self.answers.total() + self.failures.total()


def client(target: Target, concurrency: int) -> httpx.AsyncClient:
    """An HTTP client with room for that many requests at once."""
    return httpx.AsyncClient(
        base_url=target.gateway,
        timeout=REQUEST_TIMEOUT_S,
        limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
    )


async def ask(http: httpx.AsyncClient, target: Target, outcome: Outcome) -> httpx.Response | None:
    """Send one request and write down what came of it."""
    began = time.perf_counter()
    try:
        answer = await http.post(
            target.path,
            content=target.body,
            headers={"host": target.host, "content-type": "application/json"},
        )
    except httpx.HTTPError as error:
        outcome.failures[repr(error)] += 1
        return None
    finally:
        outcome.seconds.append(time.perf_counter() - began)
    if answer.status_code == 200:
        outcome.answers[answer.text] += 1
    else:
        outcome.failures[f"{answer.status_code} {answer.text[:200]}"] += 1
    return answer


async def send(target: Target, count: int, *, concurrency: int = 8) -> Outcome:
    """Send `count` requests, `concurrency` at a time."""
    outcome = Outcome()
    left = iter(range(count))
    async with client(target, concurrency) as http:

        async def worker() -> None:
            for _ in left:
                await ask(http, target, outcome)

        await asyncio.gather(*(worker() for _ in range(concurrency)))
    return outcome


@asynccontextmanager
async def background(
    target: Target, *, concurrency: int = 2, limit: int = 100_000
) -> AsyncIterator[Outcome]:
    """Keep asking during the block, at most `limit` times; the outcome is whole after it."""
    outcome = Outcome()
    stop = asyncio.Event()
    async with client(target, concurrency) as http:

        async def worker() -> None:
            while not stop.is_set() and outcome.total < limit:
                await ask(http, target, outcome)

        tasks = [asyncio.create_task(worker()) for _ in range(concurrency)]
        try:
            yield outcome
        finally:
            stop.set()
            await asyncio.gather(*tasks)
