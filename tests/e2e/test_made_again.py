"""A service that says Ready answers at once, also when one of its name was there a moment ago."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from perf.harness import Engine
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, isvc

ROUNDS = 4
SIDE_BY_SIDE = 3


async def ask(engine: Engine, name: str) -> list[int]:
    """The statuses of the first requests, sent as soon as the service is ready."""
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=10) as gateway:
        first = await gateway.get("/v2/health/ready")
        then = await gateway.post(f"/v1/models/{name}:predict", json={"instances": ROW})
    return [first.status_code, then.status_code]


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
async def test_ready_is_true_each_time(engine: Engine, client: AsyncClient, mode: str) -> None:
    async def again_and_again(name: str) -> list[list[int]]:
        service = isvc(name, minReplicas=1)
        service["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": mode}
        statuses = []
        for _ in range(ROUNDS):
            await client.apply(service)
            try:
                await client.wait_ready(name, timeout_s=30)
                statuses.append(await ask(engine, name))
            finally:
                await client.delete(service)
        return statuses

    names = [f"again-{mode.lower()}-{i}" for i in range(SIDE_BY_SIDE)]
    answered = await asyncio.gather(*map(again_and_again, names))
    assert answered == [[[200, 200]] * ROUNDS] * SIDE_BY_SIDE
