"""Policies of the gateway's pods: written before the routes, gone with their InferenceService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from rouse.errors import NotFoundError, RejectedError
from rouse.kube.resources import (
    AUTHORIZATION_POLICIES,
    INFERENCE_SERVICES,
    REQUEST_AUTHENTICATIONS,
    VIRTUAL_SERVICES,
)
from tests.unit.controllers.harness import KEY, Harness, harness, service

POLICY = "rouse-jwt-default.iris"
AUTH = "{jwt: [{issuer: https://login.example.com, jwksUri: https://login.example.com/keys}]}"


@pytest.fixture
async def world() -> AsyncIterator[Harness]:
    async with harness() as running:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}
        await running.apply(namespace)
        await running.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
                "data": {"auth": AUTH, "ingressStatus": "optional"},
            }
        )
        yield running


async def protected(world: Harness, *, auth: str = "jwt") -> list[str]:
    obj = service()
    obj["metadata"]["annotations"] = {"rouse.dev/auth": auth}
    await world.apply(obj)
    return await world.settle()


async def policies(world: Harness) -> list[str]:
    listed = await world.user.list(AUTHORIZATION_POLICIES, "istio-system")
    return [one["metadata"]["name"] for one in listed.items]


async def test_policies_are_there_before_the_routes_and_nothing_is_written_at_rest(
    world: Harness,
) -> None:
    written = await protected(world)
    await world.knative("iris-predictor-00001")
    written += await world.settle()
    order = [
        next(i for i, line in enumerate(written) if kind in line)
        for kind in ("requestauthentications", "authorizationpolicies", "virtualservices")
    ]
    assert order == sorted(order)
    assert await policies(world) == [POLICY]
    assert await world.settle() == []


async def test_without_the_annotation_the_policy_goes(world: Harness) -> None:
    await protected(world)
    assert await protected(world, auth="none") == [
        "PATCH services/iris-predictor",  # its own host is at the gateway again
        f"DELETE authorizationpolicies/{POLICY}",
    ]
    assert await policies(world) == []
    # It is shared, so it stays.
    assert len((await world.user.list(REQUEST_AUTHENTICATIONS, "istio-system")).items) == 1


async def test_the_policy_outlives_the_routes_of_a_deleted_service(world: Harness) -> None:
    await protected(world)
    await world.knative("iris-predictor-00001")
    await world.settle()
    await world.user.delete(INFERENCE_SERVICES, KEY.name, KEY.namespace)
    await world.settle()
    left = await policies(world)
    if KEY.name in await world.names(VIRTUAL_SERVICES):
        assert left == [POLICY]
        with suppress(NotFoundError):  # the API's own collection may have come first
            await world.user.delete(VIRTUAL_SERVICES, KEY.name, KEY.namespace)
    async with asyncio.timeout(10):
        while await policies(world):
            await world.settle()
            await asyncio.sleep(0.01)  # the API in memory answers without giving way


async def test_a_method_that_is_not_known_is_refused(world: Harness) -> None:
    with pytest.raises(RejectedError, match=r"auth.: .magic. is unknown; allowed: api-key, jwt"):
        await protected(world, auth="magic")
