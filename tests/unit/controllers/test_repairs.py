"""Drift is repaired, though not for ever at full speed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from rouse.controllers.inferenceservice import Reconciler
from rouse.controllers.writing.repairs import MOST, Repairs
from rouse.kube import Key, Requeue
from rouse.kube.resources import SERVICES
from tests.unit.controllers.harness import KEY, NOW, Harness, harness, service

SERVICE = "PATCH services/iris"


@pytest.fixture
async def world() -> AsyncIterator[Harness]:
    async with harness() as running:
        yield running


def test_five_in_a_minute_for_each() -> None:
    repairs = Repairs()
    assert [repairs.allow(KEY, NOW) for _ in range(MOST + 1)] == [True] * MOST + [False]
    assert repairs.allow(Key("default", "other"), NOW)
    assert not repairs.allow(KEY, NOW + timedelta(seconds=59))
    assert repairs.allow(KEY, NOW + timedelta(seconds=60))
    repairs.forget(KEY)
    assert repairs.allow(KEY, NOW)


async def test_someone_who_will_not_yield_is_told_of_and_left_alone_for_a_while(
    world: Harness,
) -> None:
    await world.apply(service())
    await world.settle()
    theirs = {"spec": {"externalName": "elsewhere"}}
    for _ in range(MOST):
        await world.user.patch(SERVICES, "iris", theirs, namespace=KEY.namespace)
        assert SERVICE in await world.settle()
    await world.user.patch(SERVICES, "iris", theirs, namespace=KEY.namespace)
    await world.caught_up()
    world.faults.writes.clear()
    assert await world.reconcile(KEY) == Requeue(60.0)
    assert world.faults.writes == []
    assert "Warning DriftRepeats x1" in await world.events()
    # A new process begins to count anew, as after a minute.
    world.reconcile = Reconciler(
        world.client, world.sources, world.settings, world.recorder, clock=lambda: NOW
    )
    assert SERVICE in await world.settle()
