"""What is asked of vLLM, with its classes replaced: it cannot run without a GPU."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from predictors.huggingface.generation.engine import Job
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.generation.vllm import VllmEngine
from predictors.huggingface.options import Options
from predictors.openai.abilities import Sampling
from predictors.serving.errors import OverloadedError


class Asked:
    """vLLM's engine: notes what it is asked, and says two words."""

    def __init__(self) -> None:
        self.requests: list[tuple[Any, ...]] = []
        self.aborted = 0

    async def generate(
        self, prompt: Any, sampling: Any, request_id: str, *, lora_request: Any
    ) -> AsyncIterator[Any]:
        """Two outputs."""
        self.requests.append((prompt, sampling, request_id, lora_request))
        logprob = SimpleNamespace(logprob=-0.5, decoded_token="a")
        try:
            for text, finish in (("a", None), ("b", "length")):
                told = SimpleNamespace(
                    text=text, token_ids=[4], finish_reason=finish, logprobs=[{4: logprob}]
                )
                yield SimpleNamespace(outputs=[told])
        except GeneratorExit:
            self.aborted += 1
            raise

    def shutdown(self) -> None:
        """Nothing runs."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    engine = Asked()
    made: Any = ModuleType("vllm")
    made.AsyncEngineArgs = lambda **given: SimpleNamespace(**given)
    made.AsyncLLMEngine = SimpleNamespace(from_engine_args=lambda arguments: engine)
    made.SamplingParams = lambda **given: SimpleNamespace(**given)
    params: Any = ModuleType("vllm.sampling_params")
    params.RequestOutputKind = SimpleNamespace(DELTA="delta")
    lora: Any = ModuleType("vllm.lora.request")
    lora.LoRARequest = lambda *given: given
    for module in (made, params, lora):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "vllm.lora", ModuleType("vllm.lora"))
    return engine


@pytest.fixture
def engine(asked: Asked, tmp_path: Path) -> VllmEngine:
    adapter = tmp_path / "adapters" / "polite"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    settings = GenerationSettings(max_waiting=1, max_batch=1)
    return VllmEngine("big", tmp_path, Options(), settings, 128)


async def test_a_job_becomes_vllms_request(engine: VllmEngine, asked: Asked) -> None:
    sampling = Sampling(temperature=0.5, top_k=3, stop=("x",), logprobs=1, seed=2)
    stream = engine.submit(Job([5, 6], sampling, 9, "polite", "front "))
    pieces = [piece async for piece in stream]
    assert [piece.text for piece in pieces] == ["front ", "a", "b"]
    assert pieces[-1].finish == "length"
    assert pieces[1].logprobs[0].logprob == -0.5
    prompt, told, _, lora = asked.requests[0]
    assert prompt == {"prompt_token_ids": [5, 6]}
    assert (told.max_tokens, told.temperature, told.top_k) == (9, 0.5, 3)
    assert (told.stop, told.seed, told.logprobs, told.output_kind) == (["x"], 2, 1, "delta")
    assert lora[:2] == ("polite", 1)


async def test_a_closed_text_is_aborted(engine: VllmEngine, asked: Asked) -> None:
    stream = engine.submit(Job([5], Sampling(), 9))
    pieces = aiter(stream)
    await anext(pieces)
    second = engine.submit(Job([5], Sampling(), 9))
    with pytest.raises(OverloadedError, match="2 texts are with model big"):
        engine.submit(Job([5], Sampling(), 9))
    second.close()
    stream.close()
    assert stream._closing is not None
    await stream._closing
    assert asked.aborted == 1


class Registry:
    """prometheus_client's, with one gauge of vLLM's."""

    def restricted_registry(self, names: Sequence[str]) -> Registry:
        """As it is."""
        assert "vllm:kv_cache_usage_perc" in names
        return self

    def collect(self) -> list[Any]:
        """The gauge."""
        return [SimpleNamespace(samples=[SimpleNamespace(value=0.25)])]


def test_the_share_of_the_cache_is_vllms(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert engine.load().kept is None
    told: Any = ModuleType("prometheus_client")
    told.REGISTRY = Registry()
    monkeypatch.setitem(sys.modules, "prometheus_client", told)
    assert engine.load().kept == 0.25
