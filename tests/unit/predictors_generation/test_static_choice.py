"""Which models step at fixed shapes, how their tokens are drawn, and what is compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from perf.deep_learning.kernels import counted
from predictors.huggingface.generation.sampling import Sampler
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.generation.static.choose import static_runner, trial
from predictors.huggingface.generation.static.drawing import draw
from predictors.huggingface.generation.static.whole import WholeStep
from predictors.openai.abilities import Sampling
from predictors.pytorch.device import Device
from predictors.pytorch.options import Options
from predictors.serving.errors import StartupError

Module = Callable[[str], PreTrainedModel]
CPU = Device("cpu")


@pytest.mark.parametrize("kind", ["window", "bloom"])
def test_models_that_do_not_hold_go_on_as_they_did(
    kind: str, module: Module, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert static_runner(module(kind), CPU, kind) is None
    assert f"model {kind} steps at shapes that change" in caplog.text


def test_a_trial_finds_a_step_that_is_wrong(module: Module) -> None:
    model = module("llama")
    right = WholeStep(model)
    assert trial(model, right, CPU, fixed=True) is None
    wrong = trial(model, lambda step: right(step._replace(at=step.at + 1)), CPU, fixed=True)
    assert wrong is not None
    assert "apart in a trial" in wrong


def test_steps_are_compiled_where_asked(
    module: Module, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[dict[str, Any]] = []

    def broken(step: Any) -> Any:
        raise RuntimeError("no compiler here")

    def compiled(forward: Any, **given: Any) -> Any:
        asked.append(given)
        return forward.__call__ if len(asked) == 1 else broken

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    for _ in range(2):
        made = static_runner(module("llama"), CPU, "llama", compiler=Options(compile=True))
        assert made is not None
    assert asked == [{"dynamic": False, "mode": "max-autotune-no-cudagraphs"}] * 2
    told = [record.getMessage() for record in caplog.records]
    assert told == ["model llama: its steps are not compiled: RuntimeError: no compiler here"]


def test_drawing_is_the_samplers_rule() -> None:
    logits = torch.randn(64, 300, generator=torch.Generator().manual_seed(3)) * 4
    samplings = [
        Sampling(temperature=t, top_k=k, top_p=p, seed=index)
        for index, (t, k, p) in enumerate(
            (t, k, p)
            for t in (0.0, 1e-9, 0.5, 1.5)
            for k in (0, 1, 7, 500)
            for p in (0.0, 0.3, 0.95, 1.0)
        )
    ]
    one, other = ([Sampler(each, [1], 0) for each in samplings] for _ in range(2))
    for _ in range(5):
        drawn = draw(logits, logits.argmax(-1), one, CPU).tolist()
        assert drawn == [s.choose(row).token for s, row in zip(other, logits, strict=True)]


def test_how_steps_are_made_is_a_setting() -> None:
    assert GenerationSettings.of({}).steps == "auto"
    given = {"ROUSE_GENERATION_STEPS": "static", "ROUSE_GENERATION_ENGINE": "torch"}
    assert GenerationSettings.of(given) == GenerationSettings(steps="static", engine="torch")
    with pytest.raises(StartupError, match="ROUSE_GENERATION_STEPS must be one of auto, static, d"):
        GenerationSettings.of({"ROUSE_GENERATION_STEPS": "fast"})


def test_our_step_launches_a_third_of_the_kernels() -> None:
    # What decision 20 counts with.
    counts = {name: sum(each.values()) for name, each in counted().items()}
    assert counts["static, ours"] < 300
    assert counts["static, ours"] * 3 < counts["static, transformers' code"]
