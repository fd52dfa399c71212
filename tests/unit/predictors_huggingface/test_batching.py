"""Sequences of like length share a call, and nobody's cancellation or failure is another's."""

from __future__ import annotations

import asyncio
import threading

import pytest

from predictors.huggingface.batching import Batcher, Sized, window
from predictors.serving.errors import OverloadedError


def test_a_window_takes_what_costs_less_than_a_call() -> None:
    assert window([5, 6, 7, 200, 210], 1, 4096) == (0, 3)
    assert window([5, 6, 7, 200, 210], 3, 4096) == (3, 5)
    assert window([10] * 100, 0, 320) == (0, 32)
    assert window([9000], 0, 4096) == (0, 1)


class Held:
    """A call that waits until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.calls.append(items)
        self.begun.set()
        assert self.go.wait(10)
        return [item * 2 for item in items]


async def test_what_waits_is_run_together() -> None:
    held = Held()
    batcher = Batcher(held, name="m")
    first = asyncio.create_task(batcher.submit([Sized(1, 4)]))
    await asyncio.to_thread(held.begun.wait, 10)
    others = [asyncio.create_task(batcher.submit([Sized(n, 4), Sized(-n, 400)])) for n in (2, 3)]
    await asyncio.sleep(0)
    held.go.set()
    assert (await first).results == [2]
    assert [(await each).results for each in others] == [[4, -4], [6, -6]]
    assert held.calls == [[1], [2, 3], [-2, -3]]
    batcher.close()


async def test_cancelled_items_are_not_run() -> None:
    held = Held()
    batcher = Batcher(held, name="m")
    first = asyncio.create_task(batcher.submit([Sized(1, 4)]))
    await asyncio.to_thread(held.begun.wait, 10)
    gone = asyncio.create_task(batcher.submit([Sized(9, 4)]))
    kept = asyncio.create_task(batcher.submit([Sized(2, 4)]))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    held.go.set()
    assert (await first).results == [2]
    assert (await kept).results == [4]
    assert held.calls == [[1], [2]]
    batcher.close()


async def test_a_full_queue_refuses() -> None:
    held = Held()
    batcher = Batcher(held, name="m", max_waiting=2)
    first = asyncio.create_task(batcher.submit([Sized(1, 4)]))
    await asyncio.to_thread(held.begun.wait, 10)
    waiting = asyncio.create_task(batcher.submit([Sized(2, 4), Sized(3, 4)]))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="2 texts wait for model m"):
        await batcher.submit([Sized(4, 4)])
    held.go.set()
    assert (await first).results == [2]
    assert (await waiting).results == [4, 6]
    batcher.close()


async def test_a_failure_is_told_and_the_next_call_runs() -> None:
    def call(items: list[int]) -> list[int]:
        if 0 in items:
            raise ValueError("zero")
        return items

    batcher = Batcher(call, name="m")
    with pytest.raises(ValueError, match="zero"):
        await batcher.submit([Sized(0, 4)])
    assert (await batcher.submit([Sized(5, 4)])).results == [5]
    batcher.close()
