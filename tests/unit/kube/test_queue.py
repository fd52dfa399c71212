"""The work queue: what it promises, for any sequence of calls."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.kube.backoff import Backoff
from rouse.kube.queue import DelayedKeys, QueueShutDown, WorkQueue

KEYS = st.sampled_from("abc")
CALLS = st.one_of(
    st.tuples(st.just("add"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("discard"), KEYS, st.just(0)),
    st.tuples(st.just("take"), st.just(""), st.integers(0, 9)),
)


@given(st.lists(CALLS, max_size=200))
def test_delayed_keys_are_a_map_of_earliest_times(calls: list[tuple[str, str, int]]) -> None:
    delayed: DelayedKeys[str] = DelayedKeys()
    model: dict[str, float] = {}
    for call, key, number in calls:
        if call == "add":
            delayed.add(key, number)
            model[key] = min(number, model.get(key, number))
        elif call == "discard":
            delayed.discard(key)
            model.pop(key, None)
        else:
            due = {one for one, when in model.items() if when <= number}
            taken = delayed.take_due(number)
            assert set(taken) == due
            times = [model[one] for one in taken]
            assert times == sorted(times)
            for one in due:
                del model[one]
        assert len(delayed) == len(model)
        assert delayed.next_at() == min(model.values(), default=None)


def test_keys_forgotten_again_and_again_leave_nothing() -> None:
    delayed: DelayedKeys[str] = DelayedKeys()
    for when in range(10_000):
        delayed.add("a", when)
        delayed.discard("a")
        delayed.add("b", 1e9)
    assert len(delayed._heap) < 100


async def test_a_waiting_key_is_not_added_twice() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abab":
        queue.add(key)
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_added_while_worked_on_comes_back_once_and_only_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done"]), KEYS), max_size=100))
def test_any_sequence_never_loses_nor_doubles_a_key(calls: list[tuple[str, str]]) -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        working: set[str] = set()
        owed: set[str] = set()
        for call, key in calls:
            if call == "add":
                queue.add(key)
                owed.add(key)
            elif call == "get" and len(queue):
                got = await queue.get()
                assert got not in working
                assert got in owed
                owed.discard(got)
                working.add(got)
            elif call == "done" and key in working:
                queue.done(key)
                working.discard(key)
            assert len(queue) == len(owed - working)
            assert queue.working == len(working)

    asyncio.run(run())


async def test_a_getter_waits_for_a_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    getters = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("a")
    queue.add("b")
    assert set(await asyncio.gather(*getters)) == {"a", "b"}


async def test_a_getter_cancelled_as_it_is_woken_passes_the_key_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await second == "a"
    assert first.cancelled()


async def test_delays() -> None:
    now = 100.0
    queue: WorkQueue[str] = WorkQueue(clock=lambda: now)
    queue.add_after("late", 50)
    queue.add_after("soon", 10)
    queue.add_after("at once", 0)
    assert (len(queue), queue.delayed) == (1, 2)
    now = 111.0
    queue.promote()
    assert [await queue.get(), await queue.get()] == ["at once", "soon"]
    queue.add("late")
    assert queue.delayed == 0
    queue.shut_down()


async def test_the_queue_promotes_by_itself() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("b", 0.02)
    queue.add_after("a", 0.01)
    async with asyncio.timeout(5):
        assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_failures_come_back_ever_later_until_a_success() -> None:
    queue: WorkQueue[str] = WorkQueue(backoff=Backoff(base=1, limit=5), clock=lambda: 0.0)
    assert [queue.retry("a") for _ in range(5)] == [1, 2, 4, 5, 5]
    assert queue.retry("b") == 1
    assert queue.retry("b", at_least=30) == 30
    assert queue.failures("a") == 5
    queue.forget("a")
    assert queue.retry("a") == 1
    queue.shut_down()


async def test_shutting_down_ends_every_getter() -> None:
    queue: WorkQueue[str] = WorkQueue()
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.shut_down()
    with pytest.raises(QueueShutDown):
        await getter
    queue.add("a")
    queue.add_after("a", 1)
    with pytest.raises(QueueShutDown):
        await queue.get()


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_stays_within_its_limits(failures: int, jitter: float) -> None:
    delay = Backoff(base=0.005, limit=60, jitter=jitter, uniform=lambda low, high: high)
    assert 0 <= delay.delay(failures) <= 60
    assert Backoff(base=0.005, limit=60).delay(1) == 0.005
