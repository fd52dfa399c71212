"""Continuous batches: the same texts as one at a time, whoever joins and leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from predictors.huggingface.generation.continuous import ContinuousEngine
from predictors.huggingface.generation.engine import Job
from predictors.huggingface.generation.rehearsal import rehearse
from predictors.huggingface.generation.runner import Runner, check
from predictors.huggingface.generation.streams import Stream
from predictors.openai.abilities import Piece, Sampling
from predictors.pytorch.device import Device
from predictors.serving.errors import InferenceError, ModelLoadError, OverloadedError

MakeEngine = Callable[..., ContinuousEngine]
GREEDY = Sampling(temperature=0)
PROMPTS = [[(7 * row + 3 * at) % 250 + 5 for at in range(2 + 9 * row)] for row in range(6)]


def expected(model: PreTrainedModel, prompt: Sequence[int], tokens: int) -> list[int]:
    """What transformers makes of one prompt by itself."""
    with torch.inference_mode():
        made: Any = model.generate(  # type: ignore[operator]
            torch.tensor([prompt]), max_new_tokens=tokens, do_sample=False, eos_token_id=None
        )
    told: list[int] = made[0, len(prompt) :].tolist()
    return told


async def pieces_of(stream: Stream) -> list[Piece]:
    """All pieces of a text."""
    return [piece async for piece in stream]


@pytest.mark.parametrize("kind", ["llama", "window", "gpt2", "bloom"])
async def test_texts_are_those_of_one_at_a_time(
    kind: str, engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    made = engine(kind, max_batch=4, prefill_tokens=16)
    seen: dict[int, list[int]] = {}
    take = made._take  # the tokens, before they are text

    def spy(logits: torch.Tensor, first: int) -> None:
        texts = made._texts[first:]
        take(logits, first)
        for text in texts:
            seen.setdefault(id(text.stream), []).append(text.last)

    made._take = spy  # type: ignore[method-assign]
    streams: list[Stream] = []
    for index, prompt in enumerate(PROMPTS):
        streams.append(made.submit(Job(prompt, GREEDY, 4 + 3 * index)))
        if index == 2:  # the others come when these are under way
            begun = aiter(streams[0])
            await anext(begun)
    await asyncio.gather(*(pieces_of(stream) for stream in streams[1:]))
    async for _ in begun:
        pass
    for index, (prompt, stream) in enumerate(zip(PROMPTS, streams, strict=True)):
        assert seen[id(stream)] == expected(module(kind), prompt, 4 + 3 * index)


async def test_a_batch_makes_one_step_for_all(engine: MakeEngine) -> None:
    made = engine()
    streams = [made.submit(Job(PROMPTS[1], GREEDY, 20)) for _ in range(8)]
    pieces = await asyncio.gather(*(pieces_of(stream) for stream in streams))
    assert [len(each) for each in pieces] == [20] * 8
    assert made.steps < 40
    assert {"".join(p.text for p in each) for each in pieces} == {
        "".join(p.text for p in pieces[0])
    }


async def test_seeds_hold_whatever_the_neighbours(engine: MakeEngine) -> None:
    made = engine()
    job = Job(PROMPTS[1], Sampling(temperature=1.0, top_p=0.9, top_k=40, seed=11), 16)
    alone = await pieces_of(made.submit(job))
    others = [made.submit(Job(p, Sampling(temperature=1.3, seed=5), 30)) for p in PROMPTS]
    among = await pieces_of(made.submit(job))
    assert [p.text for p in among] == [p.text for p in alone]
    other = await pieces_of(made.submit(Job(PROMPTS[1], Sampling(seed=12), 16)))
    assert [p.text for p in other] != [p.text for p in alone]
    for stream in others:
        stream.close()


async def test_the_end_token_ends_a_text(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    wanted = expected(module("llama"), PROMPTS[2], 12)
    end = wanted[5]
    made = engine(ends=[end])
    pieces = await pieces_of(made.submit(Job(PROMPTS[2], GREEDY, 12)))
    assert len(pieces) == wanted.index(end) + 1
    assert pieces[-1].finish == "stop"
    on = Job(PROMPTS[2], Sampling(temperature=0, ignore_eos=True), 12)
    pieces = await pieces_of(made.submit(on))
    assert (len(pieces), pieces[-1].finish) == (12, "length")


async def test_logprobs_are_the_models(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    made = engine()
    job = Job(PROMPTS[2], Sampling(temperature=0, logprobs=3), 2)
    pieces = await pieces_of(made.submit(job))
    with torch.inference_mode():
        logits = module("llama")(torch.tensor([PROMPTS[2]])).logits[0, -1]
    told = pieces[0].logprobs[0]
    assert told.logprob == pytest.approx(float(logits.log_softmax(-1).max()), abs=1e-4)
    assert len(told.top) == 3
    assert told.top[0] == (told.token, told.logprob)


class Gated(Runner):
    """Waits before each step, and fails when told to."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__(model, Device("cpu"))
        self.gate = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.rows: list[int] = []
        self.broken = False

    def step(self, batch: Any, tokens: Sequence[int], adapters: Any) -> torch.Tensor:
        """As told."""
        self.entered.release()
        assert self.gate.acquire(timeout=20)
        if self.broken:
            raise ZeroDivisionError("broken")
        self.rows.append(len(tokens))
        return super().step(batch, tokens, adapters)


async def test_cancelled_texts_leave_at_the_next_step(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    runner = Gated(module("llama"))
    made = engine(runner=runner)
    kept, dropped = (made.submit(Job(PROMPTS[1], GREEDY, 5)) for _ in range(2))
    runner.gate.release()
    await asyncio.to_thread(runner.entered.acquire)
    await asyncio.to_thread(runner.entered.acquire)
    dropped.close()
    runner.gate.release(10)
    assert len(await pieces_of(kept)) == 5
    assert runner.rows[-1] == 1
    assert 2 in runner.rows


async def test_a_full_queue_refuses(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    runner = Gated(module("llama"))
    made = engine(runner=runner, max_batch=1, max_waiting=2)
    first = made.submit(Job(PROMPTS[0], GREEDY, 3))
    await asyncio.to_thread(runner.entered.acquire)
    waiting = [made.submit(Job(PROMPTS[0], GREEDY, 3)) for _ in range(2)]
    with pytest.raises(OverloadedError, match="2 texts wait"):
        made.submit(Job(PROMPTS[0], GREEDY, 3))
    runner.gate.release(20)
    for stream in (first, *waiting):
        assert len(await pieces_of(stream)) == 3
    assert set(runner.rows) == {1}


async def test_who_went_away_keeps_nobody_out_of_a_full_queue(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    runner = Gated(module("llama"))
    made = engine(runner=runner, max_batch=1, max_waiting=2)
    first = made.submit(Job(PROMPTS[0], GREEDY, 3))
    await asyncio.to_thread(runner.entered.acquire)
    kept, gone = (made.submit(Job(PROMPTS[0], GREEDY, 3)) for _ in range(2))
    gone.close()
    late = made.submit(Job(PROMPTS[0], GREEDY, 3))
    runner.gate.release(20)
    for stream in (first, kept, late):
        assert len(await pieces_of(stream)) == 3


async def test_a_failure_is_told_and_left_behind(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    runner = Gated(module("llama"))
    runner.broken = True
    made = engine(runner=runner)
    runner.gate.release(50)
    with pytest.raises(InferenceError, match="failed while generating"):
        await pieces_of(made.submit(Job(PROMPTS[0], GREEDY, 3)))
    runner.broken = False
    assert len(await pieces_of(made.submit(Job(PROMPTS[0], GREEDY, 3)))) == 3


async def test_the_token_budget_bounds_the_batch(
    engine: MakeEngine, module: Callable[[str], PreTrainedModel]
) -> None:
    runner = Gated(module("llama"))
    runner.gate.release(1000)
    made = engine(runner=runner, max_batch_tokens=60)
    jobs = [Job(PROMPTS[1], GREEDY, 19) for _ in range(4)]  # 30 tokens each
    streams = [made.submit(job) for job in jobs]
    await asyncio.gather(*(pieces_of(stream) for stream in streams))
    assert max(runner.rows) == 2


def test_models_with_other_memory_are_refused() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(hidden_size=16, num_hidden_layers=1, vocab_size=32, state_size=4)
    with pytest.raises(ModelLoadError, match="more than keys and values"):
        check(MambaForCausalLM(config))


def test_what_a_warm_parent_rehearses_starts_no_thread() -> None:
    before = threading.active_count()
    rehearse()
    assert threading.active_count() == before
