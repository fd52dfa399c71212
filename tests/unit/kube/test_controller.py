"""The controller: one reconcile per key at a time, retried for as long as it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from rouse.errors import (
    ConfigError,
    ConflictError,
    RejectedError,
    TooManyRequestsError,
    UnavailableError,
)
from rouse.kube import Controller, Informer, Key, Requeue
from rouse.kube.backoff import Backoff
from rouse.kube.controller import Outcome, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.manager import Manager
from rouse.kube.resources import PODS
from tests.unit.kube.scripted import ScriptedApi, listed, pod, refusal

KEY = Key("a", "p")
QUICK = Backoff(base=0.001, limit=0.002)


@asynccontextmanager
async def running(
    reconcile: Callable[[Key], Awaitable[Requeue | None]], *, deadline: float = 5.0
) -> AsyncIterator[tuple[Controller, asyncio.Queue[Reconciled]]]:
    results: asyncio.Queue[Reconciled] = asyncio.Queue()
    controller = Controller(
        "test", reconcile, deadline=deadline, backoff=QUICK, observe=results.put_nowait
    )
    await controller.start()
    try:
        yield controller, results
    finally:
        await controller.stop(0.5)


async def outcome_of(results: asyncio.Queue[Reconciled]) -> Outcome:
    return (await asyncio.wait_for(results.get(), 5)).outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConflictError("changed", status=409), Outcome.CONFLICT),
        (UnavailableError("away", status=503), Outcome.FAILED),
        (RejectedError("no", status=422), Outcome.FAILED),
        (ConfigError("no token"), Outcome.FAILED),
        (ZeroDivisionError("a bug"), Outcome.BROKEN),
    ],
)
async def test_a_failure_is_tried_again(error: Exception, outcome: Outcome) -> None:
    errors = [error, error]

    async def reconcile(_key: Key) -> None:
        if errors:
            raise errors.pop()

    async with running(reconcile) as (controller, results):
        controller.enqueue(KEY)
        outcomes = [await outcome_of(results) for _ in range(3)]
        assert outcomes == [outcome, outcome, Outcome.DONE]
        assert controller.queue.failures(KEY) == 0
        assert controller.outcomes == {outcome: 2, Outcome.DONE: 1}


async def test_the_api_says_how_long_to_wait() -> None:
    error = TooManyRequestsError("slow down", status=429)
    error.retry_after = 60.0

    async def reconcile(_key: Key) -> None:
        raise error

    async with running(reconcile) as (controller, results):
        controller.enqueue(KEY)
        assert await outcome_of(results) is Outcome.FAILED
        due = controller.queue._delayed.next_at()
        assert due is not None
        assert due > asyncio.get_running_loop().time() + 50


async def test_a_reconcile_that_hangs_is_cut_off() -> None:
    calls = 0

    async def reconcile(_key: Key) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()

    async with running(reconcile, deadline=0.02) as (controller, results):
        controller.enqueue(KEY)
        assert await outcome_of(results) is Outcome.TIMEOUT
        assert await outcome_of(results) is Outcome.DONE


async def test_a_wish_to_be_called_again() -> None:
    calls = 0

    async def reconcile(_key: Key) -> Requeue | None:
        nonlocal calls
        calls += 1
        return Requeue(0.001) if calls < 3 else None

    async with running(reconcile) as (controller, results):
        controller.enqueue(KEY)
        for _ in range(3):
            await outcome_of(results)
        assert calls == 3


async def test_one_key_is_never_worked_on_twice_at_a_time_others_are() -> None:
    active: set[Key] = set()
    most = 0

    async def reconcile(key: Key) -> None:
        nonlocal most
        assert key not in active
        active.add(key)
        most = max(most, len(active))
        await asyncio.sleep(0.002)
        active.discard(key)

    async with running(reconcile) as (controller, results):
        for _ in range(5):
            for name in "abc":
                controller.enqueue(Key("a", name))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert results.qsize() >= 3
        assert controller.outcomes[Outcome.BROKEN] == 0
        assert most == 3


async def test_reconciles_that_wait_for_nothing_let_others_run() -> None:
    done: list[Key] = []

    async def reconcile(key: Key) -> None:
        done.append(key)

    async with running(reconcile) as (controller, results):
        for number in range(500):
            controller.enqueue(Key("a", str(number)))
        await asyncio.wait_for(results.get(), 5)
        assert len(done) < 50


async def test_stopping_lets_a_reconcile_end_and_cancels_a_hanging_one() -> None:
    ended: list[str] = []
    both = asyncio.Barrier(3)

    async def reconcile(key: Key) -> None:
        try:
            await both.wait()
            await asyncio.sleep(0.02 if key.name == "short" else 60)
            ended.append(key.name)
        except asyncio.CancelledError:
            ended.append(f"{key.name} cancelled")
            raise

    controller = Controller("test", reconcile)
    await controller.start()
    controller.enqueue(Key("a", "short"))
    controller.enqueue(Key("a", "long"))
    await both.wait()
    await controller.stop(0.2)
    assert ended == ["short", "long cancelled"]


async def test_the_manager_starts_controllers_on_a_complete_copy() -> None:
    api = ScriptedApi(listed("5", pod("p", "3")))
    client = api.client()
    informer = Informer(client, PODS)
    reconciled = asyncio.Event()

    async def reconcile(key: Key) -> None:
        assert informer.get(key) is not None
        reconciled.set()

    controller = Controller("test", reconcile)
    informer.add_handler(controller.on_event)
    manager = Manager(
        informers=[informer], controllers=[controller], recorder=EventRecorder(client, "test")
    )
    ready = [manager.ready]
    async with manager:
        ready.append(manager.ready)
        await asyncio.wait_for(reconciled.wait(), 5)
    ready.append(manager.ready)
    assert ready == [False, True, False]


async def test_the_manager_gives_up_on_a_list_that_never_comes_and_stops_all() -> None:
    api = ScriptedApi(refusal(404, "NotFound", "no such resource"))
    manager = Manager(informers=[Informer(api.client(), PODS)], controllers=[], sync_timeout=0.05)
    with pytest.raises(UnavailableError, match=r"pods could not be listed within 0\.05 s"):
        await manager.start()
    assert len(asyncio.all_tasks()) == 1
