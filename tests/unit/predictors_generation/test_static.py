"""Steps at fixed shapes: the same texts, from recordings that are replayed as a GPU would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from predictors.huggingface.generation.continuous import ContinuousEngine
from predictors.huggingface.generation.engine import Job
from predictors.huggingface.generation.static import StaticRunner, slots
from predictors.huggingface.generation.static.choose import static_runner, trial
from predictors.huggingface.generation.static.llama import LlamaStep
from predictors.huggingface.generation.streams import Stream
from predictors.openai.abilities import Piece, Sampling
from predictors.pytorch.device import Device
from predictors.pytorch.replay import CudaGraphs
from tests.unit.predictors_generation.recording import Recording

MakeEngine = Callable[..., ContinuousEngine]
MakeRunner = Callable[..., StaticRunner]
Module = Callable[[str], PreTrainedModel]
GREEDY = Sampling(temperature=0)
CPU = Device("cpu")
PROMPTS = [[(7 * row + 3 * at) % 250 + 5 for at in range(2 + 9 * row)] for row in range(6)]


@pytest.fixture
def runner(module: Module, monkeypatch: pytest.MonkeyPatch) -> MakeRunner:
    """Static runners of a kind of module, in small buckets, with steps ahead."""
    monkeypatch.setattr(slots, "_COLUMNS", 16)
    monkeypatch.setattr(slots, "_ROWS", 1)

    def of(kind: str = "llama", replay: Any = None, **given: Any) -> StaticRunner:
        wanted = {"ahead": True, "replay": replay or Recording(), **given}
        made = static_runner(module(kind), CPU, kind, **wanted)
        assert made is not None
        return made

    return of


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


def tokens_of(engine: ContinuousEngine) -> dict[int, list[int]]:
    """Filled with the tokens of each text, by its stream."""
    seen: dict[int, list[int]] = {}
    tell = engine._tell

    def spy(texts: Any, choices: Any) -> None:
        tell(texts, choices)
        for (_, text), choice in zip(texts, choices, strict=True):
            seen.setdefault(id(text.stream), []).append(choice.token)

    engine._tell = spy  # type: ignore[method-assign]
    return seen


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral", "gpt2", "opt", "neox"])
async def test_texts_are_those_of_one_at_a_time(
    kind: str, ahead: bool, engine: MakeEngine, module: Module, runner: MakeRunner
) -> None:
    recording = Recording()
    made = engine(kind, max_batch=4, prefill_tokens=16, runner=runner(kind, recording, ahead=ahead))
    seen = tokens_of(made)
    streams: list[Stream] = []
    for index, prompt in enumerate(PROMPTS):
        streams.append(made.submit(Job(prompt, GREEDY, 4 + 7 * index)))
        if index == 2:  # the others come when these are under way
            begun = aiter(streams[0])
            await anext(begun)
    await asyncio.gather(*(pieces_of(stream) for stream in streams[1:]))
    async for _ in begun:
        pass
    for index, (prompt, stream) in enumerate(zip(PROMPTS, streams, strict=True)):
        assert seen[id(stream)] == expected(module(kind), prompt, 4 + 7 * index)
    assert recording.replayed > 2 * len(recording.made)
    assert len({key[1] for key in recording.made if isinstance(key, tuple)}) > 1


async def test_a_text_may_fill_the_context(
    engine: MakeEngine, module: Module, runner: MakeRunner
) -> None:
    # GPT-2 has no position beyond; a step ahead of the last token must not look for one.
    made = engine("gpt2", runner=runner("gpt2"))
    seen = tokens_of(made)
    full = made.submit(Job(PROMPTS[3], GREEDY, 128 - len(PROMPTS[3])))
    beside = made.submit(Job(PROMPTS[0], GREEDY, 126))
    await asyncio.gather(pieces_of(full), pieces_of(beside))
    assert seen[id(full)] == expected(module("gpt2"), PROMPTS[3], 128 - len(PROMPTS[3]))
    assert seen[id(beside)] == expected(module("gpt2"), PROMPTS[0], 126)


async def test_memory_is_kept_within_what_the_batch_may_have(
    engine: MakeEngine, module: Module, runner: MakeRunner
) -> None:
    most = 160
    made = engine(runner=runner(most=most), max_batch_tokens=most)
    seen = tokens_of(made)
    # First many short texts, then few long ones: rows times columns of both would be too many.
    for prompt, tokens, count in ((PROMPTS[0], 8, 8), (PROMPTS[4], 60, 2), (PROMPTS[1], 6, 9)):
        streams = [made.submit(Job(prompt, GREEDY, tokens)) for _ in range(count)]
        await asyncio.gather(*(pieces_of(stream) for stream in streams))
        for stream in streams:
            assert seen[id(stream)] == expected(module("llama"), prompt, tokens)
        batch = made._batch
        assert isinstance(batch, slots.Slots)
        memory = batch._memory
        assert memory is not None
        assert memory.shape[2] * memory.shape[4] <= most + 2 * 16


async def test_fused_weights_make_the_same_tokens(engine: MakeEngine, module: Module) -> None:
    for kind in ("llama", "qwen2"):
        wanted = expected(module(kind), PROMPTS[2], 30)
        model = deepcopy(module(kind))
        before = sum(each.numel() for each in model.parameters())
        forward = LlamaStep(model, fuse=True)
        assert trial(model, forward, CPU, fixed=True) is None
        made = engine(kind, runner=StaticRunner(model, CPU, forward, Recording(), ahead=True))
        seen = tokens_of(made)
        stream = made.submit(Job(PROMPTS[2], GREEDY, 30))
        await pieces_of(stream)
        assert seen[id(stream)] == wanted
        assert sum(each.numel() for each in model.parameters()) == before
        body: Any = model.model
        attention = body.layers[0].self_attn
        shared = attention.q_proj.weight.untyped_storage().data_ptr()
        assert attention.v_proj.weight.untyped_storage().data_ptr() == shared


SAMPLINGS = [
    Sampling(temperature=1.0, seed=3),
    Sampling(temperature=0.7, top_k=5, seed=4),
    Sampling(temperature=1.2, top_p=0.8, seed=5),
    Sampling(temperature=0.9, top_p=0.9, top_k=40, seed=6),
    GREEDY,
]


async def test_seeds_make_the_same_texts_ahead_as_one_by_one(
    engine: MakeEngine, runner: MakeRunner
) -> None:
    told = []
    for given in (None, runner(ahead=True), runner(ahead=False)):
        made = engine(runner=given)
        seen = tokens_of(made)
        streams = [made.submit(Job(PROMPTS[2], each, 25)) for each in SAMPLINGS]
        await asyncio.gather(*(pieces_of(stream) for stream in streams))
        told.append([seen[id(stream)] for stream in streams])
    assert told[0] == told[1] == told[2]
    assert len({tuple(each) for each in told[0]}) == len(SAMPLINGS)


async def test_what_was_made_ahead_of_an_end_is_dropped(
    engine: MakeEngine, module: Module, runner: MakeRunner
) -> None:
    wanted = expected(module("llama"), PROMPTS[2], 12)
    end = wanted[5]
    made = engine(ends=[end], runner=runner())
    seen = tokens_of(made)
    stream, beside = (made.submit(Job(PROMPTS[row], GREEDY, 12)) for row in (2, 4))
    pieces, _ = await asyncio.gather(pieces_of(stream), pieces_of(beside))
    assert seen[id(stream)] == wanted[: wanted.index(end) + 1]
    assert pieces[-1].finish == "stop"
    text = "".join(piece.text for piece in pieces)
    stop = text[2:4]
    stopping = Job(PROMPTS[2], Sampling(temperature=0, stop=(stop,)), 12)
    pieces = await pieces_of(made.submit(stopping))
    assert "".join(piece.text for piece in pieces) == text[: text.index(stop)]
    assert pieces[-1].finish == "stop"


async def test_texts_that_need_the_host_share_a_batch_with_others(
    engine: MakeEngine, module: Module, runner: MakeRunner
) -> None:
    made = engine(runner=runner())
    seen = tokens_of(made)
    plain = made.submit(Job(PROMPTS[3], GREEDY, 40))
    begun = aiter(plain)
    await anext(begun)  # a step is ahead when these come
    told = made.submit(Job(PROMPTS[1], Sampling(temperature=0, logprobs=2), 6))
    penal = made.submit(Job(PROMPTS[1], Sampling(temperature=0, frequency_penalty=2.0), 9))
    pieces = await pieces_of(told)
    await pieces_of(penal)
    async for _ in begun:
        pass
    assert [len(piece.logprobs) for piece in pieces] == [1] * 6
    assert seen[id(told)] == expected(module("llama"), PROMPTS[1], 6)
    assert seen[id(plain)] == expected(module("llama"), PROMPTS[3], 40)
    assert len(set(seen[id(penal)])) > 1


async def test_cancelled_texts_leave_and_others_go_on(
    engine: MakeEngine, module: Module, runner: MakeRunner
) -> None:
    made = engine(runner=runner(), max_batch=5)
    seen = tokens_of(made)
    streams = [made.submit(Job(PROMPTS[row % 6], GREEDY, 30)) for row in range(12)]

    async def cut(stream: Stream, most: int) -> None:
        count = 0
        async for _ in stream:
            count += 1
            if count == most:
                return

    await asyncio.gather(
        *(
            cut(stream, 3 + row) if row % 3 == 0 else pieces_of(stream)
            for row, stream in enumerate(streams)
        )
    )
    for row, stream in enumerate(streams):
        if row % 3:
            assert seen[id(stream)] == expected(module("llama"), PROMPTS[row % 6], 30)
    again = made.submit(Job(PROMPTS[5], GREEDY, 8))
    await pieces_of(again)
    assert seen[id(again)] == expected(module("llama"), PROMPTS[5], 8)
    assert made._launched is None


@pytest.fixture
def on_gpu(module: Module) -> PreTrainedModel:
    """The Llama on a GPU."""
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU here; CUDA graphs are not recorded")
    model: Any = deepcopy(module("llama"))
    moved: PreTrainedModel = model.to("cuda:0")
    return moved


async def test_cuda_graphs_make_the_same_tokens(
    on_gpu: PreTrainedModel, engine: MakeEngine, module: Module
) -> None:
    made = static_runner(on_gpu, Device("cuda:0"), "llama")
    assert made is not None
    begun = engine(runner=made)
    seen = tokens_of(begun)
    streams = [begun.submit(Job(prompt, GREEDY, 30)) for prompt in PROMPTS]
    await asyncio.gather(*(pieces_of(stream) for stream in streams))
    for prompt, stream in zip(PROMPTS, streams, strict=True):
        assert seen[id(stream)] == expected(module("llama"), prompt, 30)
    graphs = made._replay
    assert isinstance(graphs, CudaGraphs)
    assert not graphs.broken
