"""Who runs when, with whom, and who is never run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from predictors.serving.errors import (
    DeadlineError,
    InferenceError,
    InvalidInputError,
    OverloadedError,
    RequestError,
)
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.metrics import ModelMetrics
from predictors.serving.scheduling.scheduler import DEAR_SECONDS, Scheduler
from predictors.serving.settings import BatchSettings
from predictors.serving.tensors import Tensor


def _ask(*values: float) -> InferenceRequest:
    return InferenceRequest([Tensor("x", np.array([[v, v + 0.5] for v in values]))])


def _scheduler(model: Any, batch: BatchSettings | None = None, **options: Any) -> Scheduler:
    options = {"threads": 2, "max_waiting": 100, **options}
    made = Scheduler(model, ModelMetrics("m"), batch or BatchSettings(8), **options)
    made.cost = 1.0  # dear from the start
    return made


async def _entered(model: Any, count: int = 1) -> None:
    for _ in range(count):
        assert await asyncio.to_thread(model.entered.acquire, True, 10)


def _values(response: InferenceResponse) -> list[Any]:
    values: list[Any] = response.outputs[0].array[:, 0].tolist()
    return values


async def test_what_arrives_while_the_model_is_busy_is_joined(model: Any) -> None:
    scheduler = _scheduler(model)
    model.gate.clear()
    first = asyncio.create_task(scheduler.submit(_ask(1)))
    await _entered(model)
    others = [asyncio.create_task(scheduler.submit(_ask(v, v))) for v in (2, 3, 4)]
    await asyncio.sleep(0)
    assert scheduler.waiting == 3
    model.gate.set()
    answers = await asyncio.gather(first, *others)
    assert [_values(answer) for answer in answers] == [[2], [4, 4], [6, 6], [8, 8]]
    assert model.calls == [1, 6]
    assert answers[1].queue > 0
    scheduler.close()


async def test_a_batch_is_no_larger_than_told_and_keeps_the_order(model: Any) -> None:
    scheduler = _scheduler(model, BatchSettings(4))
    model.gate.clear()
    first = asyncio.create_task(scheduler.submit(_ask(0)))
    await _entered(model)
    others = [asyncio.create_task(scheduler.submit(_ask(*[v] * v))) for v in (1, 2, 3, 9, 1)]
    await asyncio.sleep(0)
    model.gate.set()
    answers = await asyncio.gather(first, *others)
    assert [len(_values(answer)) for answer in answers] == [1, 1, 2, 3, 9, 1]
    assert model.calls == [1, 3, 3, 9, 1]
    scheduler.close()


async def test_one_bad_request_fails_alone(model: Any) -> None:
    scheduler = _scheduler(model)
    asked = [scheduler.submit(_ask(v)) for v in (1, 13, 3, 14, 5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [_values(a) for a in answers if isinstance(a, InferenceResponse)] == [[2], [6], [10]]
    assert isinstance(answers[1], InvalidInputError)
    assert isinstance(answers[3], InferenceError)
    assert str(answers[3]).startswith("Model double failed with ZeroDivisionError")
    scheduler.close()


async def test_a_model_whose_outputs_cannot_be_split_is_no_longer_joined(model: Any) -> None:
    def total(inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        model.calls.append(len(inputs[0].array))
        return [Tensor("y", inputs[0].array.sum(axis=0, keepdims=True))]

    model.predict = total
    scheduler = _scheduler(model)
    for _ in range(2):
        answers = await asyncio.gather(*(scheduler.submit(_ask(v)) for v in (1, 2)))
        assert [_values(answer) for answer in answers] == [[1], [2]]
    assert model.calls == [2, 1, 1, 1, 1]
    scheduler.close()


async def test_a_full_queue_refuses(model: Any) -> None:
    scheduler = _scheduler(model, max_waiting=1)
    model.gate.clear()
    running = asyncio.create_task(scheduler.submit(_ask(1)))
    await _entered(model)
    waiting = asyncio.create_task(scheduler.submit(_ask(2)))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="1 requests wait for model double already"):
        await scheduler.submit(_ask(3))
    model.gate.set()
    await asyncio.gather(running, waiting)
    scheduler.close()


@pytest.mark.parametrize("how", ["deadline", "cancelled"])
async def test_a_request_nobody_waits_for_is_never_run(model: Any, how: str) -> None:
    scheduler = _scheduler(model)
    model.gate.clear()
    running = asyncio.create_task(scheduler.submit(_ask(1)))
    await _entered(model)
    request = _ask(2)
    if how == "deadline":
        request.deadline = asyncio.get_running_loop().time() + 0.01
        with pytest.raises(DeadlineError, match="Model double did not answer within the time"):
            await scheduler.submit(request)
    else:
        waiting = asyncio.create_task(scheduler.submit(request))
        await asyncio.sleep(0)
        waiting.cancel()
    model.gate.set()
    await running
    last = await scheduler.submit(_ask(3))
    assert _values(last) == [6]
    assert sum(model.calls) == 2
    assert scheduler.waiting == 0
    scheduler.close()


async def test_the_wait_for_company_is_only_as_long_as_configured(model: Any) -> None:
    scheduler = _scheduler(model, BatchSettings(3, 0.05))
    assert not scheduler.inline(1)
    alone = await scheduler.submit(_ask(1))
    assert 0.04 < alone.queue < 1.0
    full = await asyncio.gather(*(scheduler.submit(_ask(v)) for v in (1, 2, 3)))
    assert all(answer.queue < 0.04 for answer in full)
    assert model.calls == [1, 3]
    scheduler.close()


@pytest.mark.parametrize(
    ("cost", "in_flight", "inline"),
    [(0.0, 64, True), (0.001, 1, True), (0.001, 2, False), (DEAR_SECONDS, 1, False)],
)
def test_a_lone_request_to_a_cheap_model_never_waits(
    model: Any, cost: float, in_flight: int, inline: bool
) -> None:
    scheduler = _scheduler(model)
    scheduler.cost = cost
    assert scheduler.inline(in_flight) is inline


async def test_models_that_cannot_be_joined_run_side_by_side(model: Any) -> None:
    model.batchable = False
    scheduler = _scheduler(model, threads=3)
    model.gate.clear()
    asked = [asyncio.create_task(scheduler.submit(_ask(v))) for v in (1, 2, 3)]
    await _entered(model, 3)
    model.gate.set()
    assert [_values(answer) for answer in await asyncio.gather(*asked)] == [[2], [4], [6]]
    assert model.calls == [1, 1, 1]
    scheduler.close()


def test_errors_say_their_status() -> None:
    assert issubclass(DeadlineError, RequestError)
    assert DeadlineError.status == 504
