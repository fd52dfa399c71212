"""The gate of starts: so many at once, in turn, and nobody holds it for ever."""

from __future__ import annotations

import asyncio

from rouse.embedded.node.gate import Pass, StartGate


async def entering(gate: StartGate, count: int) -> list[asyncio.Task[Pass]]:
    tasks = [asyncio.create_task(gate.enter()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_as_many_as_its_width_begin_and_the_others_in_turn() -> None:
    tasks = await entering(StartGate(2, 60), 4)
    await asyncio.sleep(0)
    assert [task.done() for task in tasks] == [True, True, False, False]
    tasks[1].result().leave()
    tasks[1].result().leave()
    await tasks[2]
    assert not tasks[3].done()
    tasks[0].result().leave()
    (await tasks[3]).leave()
    tasks[2].result().leave()


async def test_a_slow_start_holds_up_nobody_for_long() -> None:
    tasks = await entering(StartGate(1, 0.01), 2)
    async with asyncio.timeout(2):
        (await tasks[1]).leave()


async def test_who_gives_up_loses_no_turn() -> None:
    gate = StartGate(1, 60)
    first, second, third = await entering(gate, 3)
    second.cancel()
    first.result().leave()
    third.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    async with asyncio.timeout(1):
        (await gate.enter()).leave()
