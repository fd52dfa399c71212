"""Asking the gateway once for many, and never in a worker's way."""

from __future__ import annotations

import asyncio

from rouse.embedded.knative.confirmations import Batched, Confirmations
from rouse.kube.objects import Key

KEY = Key("default", "iris")


class Gateway:
    """Answers when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[bool] = asyncio.Queue()

    async def __call__(self) -> bool:
        self.asked += 1
        return await self.answers.get()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_batch_is_one_question() -> None:
    gateway = Gateway()
    batched = Batched(gateway)
    first = [asyncio.create_task(batched()) for _ in range(10)]
    await turns()
    assert gateway.asked == 1
    late = [asyncio.create_task(batched()) for _ in range(10)]
    await turns()
    assert gateway.asked == 1  # its question may be older than what they ask about
    gateway.answers.put_nowait(True)
    assert await asyncio.gather(*first) == [True] * 10
    gateway.answers.put_nowait(False)
    assert await asyncio.gather(*late) == [False] * 10
    assert gateway.asked == 2


async def test_who_leaves_does_not_end_the_question() -> None:
    gateway = Gateway()
    batched = Batched(gateway)
    one, other = asyncio.create_task(batched()), asyncio.create_task(batched())
    await turns()
    one.cancel()
    gateway.answers.put_nowait(True)
    assert await other
    await batched.stop()


async def test_quick_is_answered_at_once() -> None:
    gateway = Gateway()
    confirmations = Confirmations(lambda _: None)
    gateway.answers.put_nowait(True)
    assert await confirmations.confirmed(KEY, "1", gateway)
    assert await confirmations.confirmed(KEY, "1", gateway)
    assert gateway.asked == 1


async def test_slow_goes_on_in_the_background() -> None:
    gateway = Gateway()
    again: asyncio.Queue[Key] = asyncio.Queue()
    confirmations = Confirmations(again.put_nowait, patience_s=0.001)
    assert not await confirmations.confirmed(KEY, "1", gateway)
    assert not await confirmations.confirmed(KEY, "1", gateway)
    assert gateway.asked == 1
    gateway.answers.put_nowait(True)
    assert await again.get() == KEY
    assert await confirmations.confirmed(KEY, "1", gateway)


async def test_a_no_is_asked_again() -> None:
    gateway = Gateway()
    confirmations = Confirmations(lambda _: None)
    gateway.answers.put_nowait(False)
    gateway.answers.put_nowait(True)
    assert not await confirmations.confirmed(KEY, "1", gateway)
    assert await confirmations.confirmed(KEY, "1", gateway)


async def test_a_newer_version_is_asked_for_anew() -> None:
    gateway = Gateway()
    confirmations = Confirmations(lambda _: None, patience_s=0.001)
    assert not await confirmations.confirmed(KEY, "1", gateway)
    gateway.answers.put_nowait(True)
    assert await confirmations.confirmed(KEY, "2", gateway) or await confirmations.confirmed(
        KEY, "2", gateway
    )
    assert not await confirmations.confirmed(KEY, "3", gateway)
    await confirmations.stop()


async def test_a_broken_gateway_is_no_answer() -> None:
    async def broken() -> bool:
        raise RuntimeError("gone")

    confirmations = Confirmations(lambda _: None)
    assert not await confirmations.confirmed(KEY, "1", broken)
